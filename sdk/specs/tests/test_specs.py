import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from moorage_sdk import errors, platforms
from moorage_specs import capabilities, confinements, seccomp, specs, volumes
from moorage_specs.configs import Config
from moorage_specs.confinements import Confinement
from moorage_specs.selinux import Labels
from moorage_specs.settings import Host, Limits, Settings
from moorage_specs.users import User

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


def test_a_container_is_filtered_unless_it_is_privileged() -> None:
    profile = build()["linux"]["seccomp"]
    assert profile == seccomp.profile(seccomp.Facts("amd64", (5, 3), frozenset(capabilities.DEFAULT)))
    assert "seccomp" not in build(Settings(privileged=True))["linux"]


def test_the_profile_depends_on_the_capabilities() -> None:
    rules = build(Settings(cap_add=("SYS_ADMIN",)))["linux"]["seccomp"]["syscalls"]
    assert any("mount" in rule["names"] for rule in rules)
    assert not any("mount" in rule["names"] for rule in build()["linux"]["seccomp"]["syscalls"])


def test_a_filter_of_ones_own_or_none() -> None:
    own = {"defaultAction": "SCMP_ACT_LOG", "syscalls": [{"name": "read", "action": "SCMP_ACT_ALLOW", "args": None}]}
    for privileged in (False, True):
        settings = Settings(privileged=privileged, confinement=Confinement(own))
        expected = {"defaultAction": "SCMP_ACT_LOG", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]}
        assert build(settings)["linux"]["seccomp"] == expected
    assert "seccomp" not in build(Settings(confinement=Confinement(confinements.UNCONFINED)))["linux"]


def test_a_mount_label() -> None:
    assert build(Settings(confinement=Confinement(labels=Labels("p", "m"))))["linux"]["mountLabel"] == "m"
    assert "mountLabel" not in build()["linux"]


def test_sec_51_sysctls_of_its_own_namespaces_alone() -> None:
    settings = Settings(sysctls=("net.ipv4.ip_forward=1",))
    assert build(settings)["linux"]["sysctl"] == {"net.ipv4.ip_forward": "1"}
    with pytest.raises(errors.InvalidArgument, match="network namespace of the host"):
        build(replace(settings, host_network=True))
    assert "sysctl" not in build()["linux"]


def test_sec_59_five_thousand_mounts_are_a_specification_like_any_other() -> None:
    many = tuple(volumes.Volume(f"/source/{number}", f"/target/{number}") for number in range(5000))
    assert len(build(Settings(volumes=many))["mounts"]) == 5008


def test_sec_55_many_at_once_of_one_image_have_nothing_in_common() -> None:
    def own(number: int) -> list[str]:
        env: list[str] = build(Settings(env=(f"OWN_{number}={number}",)))["process"]["env"]
        env.append("LEAK=1")
        return env

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(own, range(2000)))
    assert found == [["PATH=/bin", "A=1", f"OWN_{number}={number}", "LEAK=1"] for number in range(2000)]
    assert CONFIG.env == ("PATH=/bin", "A=1")
