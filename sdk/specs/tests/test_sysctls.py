import pytest

from moorage_sdk import errors
from moorage_specs import sysctls

ALL = ("network", "ipc", "uts", "pid", "mount")


def test_what_the_namespaces_of_a_container_have() -> None:
    entries = ["net.ipv4.ip_local_port_range=1024 65000", "kernel.shmmax=1", "fs.mqueue.msg_max=10", "net.core.a="]
    assert sysctls.parse(entries, ALL) == {
        "net.ipv4.ip_local_port_range": "1024 65000",
        "kernel.shmmax": "1",
        "fs.mqueue.msg_max": "10",
        "net.core.a": "",
    }


def test_slashes_separate_too_and_let_an_interface_have_a_dot() -> None:
    entries = ["net/ipv4/conf/eth0.1/forwarding=1"]
    assert sysctls.parse(entries, ALL) == {"net.ipv4.conf.eth0/1.forwarding": "1"}
    assert sysctls.parse(["net.ipv4.conf.eth0/1.forwarding=1"], ALL) == {"net.ipv4.conf.eth0/1.forwarding": "1"}


@pytest.mark.parametrize(
    "entry",
    [
        "net.ipv4.ip_forward",
        "=1",
        "net=1",
        ".net.x=1",
        "net..x=1",
        "net/../kernel/core_pattern=|/evil",
        "net.ipv4.x\n=1",
        "net.ipv4.x=1+kernel.core_pattern=|/evil",
        "net.ipv4.x=1\nkernel.core_pattern=y",
        "net.ipv4.x=1\0",
        "net.ipv4.x=" + "1" * 4096,
    ],
)
def test_sec_51_malformed_ones(entry: str) -> None:
    with pytest.raises(errors.InvalidArgument):
        sysctls.parse([entry], ALL)


@pytest.mark.parametrize("name", ["kernel.core_pattern", "vm.swappiness", "fs.file-max", "kernel.sem2", "user.max_x"])
def test_sec_51_those_of_the_host(name: str) -> None:
    with pytest.raises(errors.InvalidArgument, match="no namespace"):
        sysctls.parse([f"{name}=1"], ALL)


@pytest.mark.parametrize(
    ("name", "namespace"),
    [
        ("net.ipv4.ip_forward", "network"),
        ("kernel.msgmax", "ipc"),
        ("fs.mqueue.x", "ipc"),
        ("kernel.domainname", "uts"),
    ],
)
def test_sec_51_those_of_a_namespace_that_is_the_hosts(name: str, namespace: str) -> None:
    with pytest.raises(errors.InvalidArgument, match=f"shares the {namespace} namespace"):
        sysctls.parse([f"{name}=1"], set(ALL) - {namespace})
    assert sysctls.parse([f"{name}=1"], {namespace})
