import json
from dataclasses import replace

import pytest

from moorage_client import specs, volumes
from moorage_client.manifests import Config
from moorage_client.specs import Host, Limits, Settings
from moorage_client.users import User
from moorage_sdk import errors, platforms

CONFIG = Config(platforms.host(), entrypoint=("/e",), command=("c",), env=("PATH=/bin", "A=1"), working_dir="w")
HOST = Host(unified_cgroups=True, hostname="outer", network_files=("/etc/hosts",))


def build(settings: Settings = Settings(), config: Config = CONFIG, host: Host = HOST) -> dict:  # noqa: B008
    spec = specs.build("ns", "id", config, User(1, 2, (2, 3)), settings, host)
    assert json.loads(json.dumps(spec)) == spec
    return spec


def test_defaults_of_containerd() -> None:
    spec = build()
    assert spec["process"]["user"] == {"uid": 1, "gid": 2, "additionalGids": [2, 3]}
    assert spec["process"]["args"] == ["/e", "c"]
    assert spec["process"]["env"] == ["PATH=/bin", "A=1"]
    assert spec["process"]["cwd"] == "/w"
    assert spec["process"]["noNewPrivileges"] is True
    assert spec["process"]["rlimits"] == [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}]
    assert spec["linux"]["cgroupsPath"] == "/ns/id"
    assert spec["hostname"] == "id"
    kinds = [each["type"] for each in spec["linux"]["namespaces"]]
    assert kinds == ["pid", "ipc", "uts", "mount", "network", "cgroup"]
    assert "/sys/devices/virtual/powercap" in spec["linux"]["maskedPaths"]
    assert spec["linux"]["readonlyPaths"][0] == "/proc/bus"
    assert [mount["destination"] for mount in spec["mounts"]][:3] == ["/proc", "/dev", "/dev/pts"]


def test_sec_46_no_inheritable_nor_ambient_capabilities() -> None:
    for settings in (Settings(), Settings(privileged=True), Settings(cap_add=("ALL",))):
        assert set(build(settings)["process"]["capabilities"]) == {"bounding", "effective", "permitted"}


def test_sec_58_devices_are_denied_first() -> None:
    assert build()["linux"]["resources"]["devices"][0] == {"allow": False, "access": "rwm"}


def test_sec_55_nothing_is_shared_between_containers() -> None:
    first = build()
    first["process"]["env"].append("LEAK=1")
    first["mounts"][0]["options"].append("leak")
    first["linux"]["maskedPaths"].clear()
    second = build()
    assert "LEAK=1" not in second["process"]["env"]
    assert "leak" not in second["mounts"][0]["options"]
    assert second["linux"]["maskedPaths"]


@pytest.mark.parametrize("path", ["/proc/self/fd/7", "/proc/1/fd", "//proc/./self/fd/8", "/proc/thread-self/fd/3/x"])
def test_sec_61_working_directories_that_are_descriptors(path: str) -> None:
    with pytest.raises(errors.InvalidArgument):
        specs.working_dir(path)


def test_working_directories_are_absolute() -> None:
    assert specs.working_dir("a/../b") == "/b"
    assert specs.working_dir("/proc/self") == "/proc/self"


def test_a_command_replaces_the_images() -> None:
    assert build(Settings(command=("x", "y")))["process"]["args"] == ["/e", "x", "y"]


def test_an_entrypoint_drops_the_images_command() -> None:
    assert build(Settings(entrypoint=("n",)))["process"]["args"] == ["n"]
    assert build(Settings(entrypoint=(), command=("x",)))["process"]["args"] == ["x"]


def test_no_command_at_all() -> None:
    with pytest.raises(errors.InvalidArgument, match="no command"):
        build(config=Config(platforms.host()))


def test_a_null_byte_in_the_command() -> None:
    with pytest.raises(errors.InvalidArgument):
        build(Settings(command=("a\0b",)))


def test_an_image_without_environment_gets_a_path() -> None:
    env = build(Settings(env=("B=2",)), Config(platforms.host(), command=("c",)))["process"]["env"]
    assert env[0].startswith("PATH=/usr/local/sbin:")
    assert env[1] == "B=2"


def test_a_terminal_sets_term_unless_somebody_did() -> None:
    assert build(Settings(terminal=True))["process"]["env"][0] == "TERM=xterm"
    assert "TERM=dumb" in build(Settings(terminal=True, env=("TERM=dumb",)))["process"]["env"]
    assert not any(entry.startswith("TERM") for entry in build()["process"]["env"])


def test_limits() -> None:
    resources = build(Settings(limits=Limits(memory=1 << 20, cpu_quota=50_000, pids=9)))["linux"]["resources"]
    assert resources["memory"] == {"limit": 1 << 20}
    assert resources["cpu"] == {"quota": 50_000, "period": 100_000}
    assert resources["pids"] == {"limit": 9}
    assert set(build()["linux"]["resources"]) == {"devices"}


def test_the_hosts_network() -> None:
    spec = build(Settings(host_network=True))
    assert "network" not in [each["type"] for each in spec["linux"]["namespaces"]]
    assert spec["hostname"] == "outer"
    assert spec["mounts"][-1]["source"] == "/etc/hosts"
    assert "ro" in spec["mounts"][-1]["options"]


def test_privileged() -> None:
    spec = build(Settings(privileged=True))
    assert spec["process"]["noNewPrivileges"] is False
    assert "maskedPaths" not in spec["linux"]
    assert spec["linux"]["resources"]["devices"] == [{"allow": True, "access": "rwm"}]
    by_target = {mount["destination"]: mount for mount in spec["mounts"]}
    assert "rw" in by_target["/sys"]["options"]
    assert "ro" not in by_target["/sys/fs/cgroup"]["options"]
    assert "cgroup" not in [each["type"] for each in spec["linux"]["namespaces"]]


def test_cgroup_v1_keeps_the_hosts_cgroup_namespace() -> None:
    kinds = [each["type"] for each in build(host=replace(HOST, unified_cgroups=False))["linux"]["namespaces"]]
    assert "cgroup" not in kinds


def test_a_volume_takes_the_place_of_a_default_mount() -> None:
    spec = build(Settings(volumes=(volumes.Volume("/x", "/run"),), read_only=True))
    assert [mount["source"] for mount in spec["mounts"] if mount["destination"] == "/run"] == ["/x"]
    assert spec["root"] == {"path": "rootfs", "readonly": True}


def test_facts_of_this_host() -> None:
    assert specs.this_host().hostname
