from moorage_specs import mounts
from moorage_specs.settings import Host, Settings
from moorage_specs.volumes import Volume

HOST = Host(unified_cgroups=True, network_files=("/etc/hosts",))


def test_what_every_container_has() -> None:
    found = mounts.of(Settings(), HOST)
    assert [each["destination"] for each in found] == [target for target, _, _, _ in mounts.SYSTEM]
    assert all("rw" not in each["options"] for each in found)


def test_the_kernels_own_are_writable_for_a_privileged_one() -> None:
    by_target = {each["destination"]: each["options"] for each in mounts.of(Settings(privileged=True), HOST)}
    assert all("rw" in by_target[target] and "ro" not in by_target[target] for target in ("/sys", "/sys/fs/cgroup"))
    assert "rw" not in by_target["/proc"]


def test_files_of_the_hosts_network_unless_a_volume_is_there() -> None:
    shared = mounts.of(Settings(host_network=True), HOST)
    assert shared[-1] == Volume("/etc/hosts", "/etc/hosts", ("ro",)).mount()
    own = Volume("/mine", "/etc/hosts")
    assert mounts.of(Settings(host_network=True, volumes=(own,)), HOST)[-1] == own.mount()
    assert len(mounts.of(Settings(host_network=True, volumes=(own,)), HOST)) == len(shared)
