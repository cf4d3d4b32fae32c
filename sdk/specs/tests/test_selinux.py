from pathlib import Path

import pytest

from moorage_sdk import errors
from moorage_specs import selinux
from moorage_specs.selinux import Labels

CONTEXTS = """# what containers get
process = "system_u:system_r:container_t:s0"
content = "system_u:object_r:virt_var_lib_t:s0"
file = "system_u:object_r:container_file_t:s0"
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A host with SELinux and a policy for containers."""
    for path, text in {
        "sys/fs/selinux/enforce": "1",
        "etc/selinux/config": "SELINUX=enforcing\nSELINUXTYPE=targeted\n",
        "etc/selinux/targeted/contexts/lxc_contexts": CONTEXTS,
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def test_what_is_given_replaces_parts_of_the_hosts_context(root: Path) -> None:
    assert selinux.labels(["type:spc_t"], root) == Labels(
        "system_u:system_r:spc_t:s0", "system_u:object_r:container_file_t:s0"
    )
    assert selinux.labels(["level:s0:c1,c2", "user:u", "role:r"], root) == Labels(
        "u:r:container_t:s0:c1,c2", "system_u:object_r:container_file_t:s0:c1,c2"
    )


@pytest.mark.parametrize("options", [[], ["disable"], ["type:spc_t", "disable"]])
def test_nothing_given_or_disabled_leaves_it_to_the_host(root: Path, options: list[str]) -> None:
    assert selinux.labels(options, root) == Labels()
    assert selinux.labels([], root / "without") == Labels()


@pytest.mark.parametrize("option", ["", "type", "type:", "colour:red", "type:a b", "type:a\n", "Disable"])
def test_malformed_ones(root: Path, option: str) -> None:
    with pytest.raises(errors.InvalidArgument):
        selinux.labels([option], root)


def test_a_kernel_without(tmp_path: Path) -> None:
    with pytest.raises(errors.FailedPrecondition, match="no SELinux"):
        selinux.labels(["type:spc_t"], tmp_path)


def test_a_policy_without_containers(root: Path) -> None:
    path = root / "etc/selinux/targeted/contexts/lxc_contexts"
    path.write_text("sandbox = x\n")
    with pytest.raises(errors.FailedPrecondition, match="no context for containers"):
        selinux.labels(["type:spc_t"], root)
    path.unlink()
    with pytest.raises(errors.FailedPrecondition, match="no context for containers"):
        selinux.labels(["type:spc_t"], root)
