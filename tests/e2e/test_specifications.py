"""What ``moorage create`` makes of options beside what ``ctr`` makes of the same, field by field, on a real containerd.

``MOORAGE_CONTAINERD`` names a newer one than the host's, with its ``ctr`` beside it.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from moorage_client import clients, containers
from moorage_sdk import platforms
from moorage_specs import capabilities, seccomp, settings
from moorage_sys.capabilities import NUMBERS
from moorage_testkit.daemons import Daemon

BUSYBOX = "docker.io/library/busybox:latest"
THEIRS, OURS = "theirs", "ours"

CASES = {
    "unfiltered": ([], ["--security-opt", "seccomp=unconfined"]),
    "filtered": (["--seccomp"], []),
    "privileged": (["--privileged"], ["--privileged"]),
    "terminal": (["--seccomp", "-t"], ["-t"]),
    "ids": (["--seccomp", "--user", "1000:7"], ["-u", "1000:7"]),
    "user": (["--seccomp", "--user", "nobody"], ["-u", "nobody"]),
    "host-network": (["--seccomp", "--net-host"], ["--network", "host"]),
    "cap-add": (["--seccomp", "--cap-add", "CAP_SYS_ADMIN"], ["--cap-add", "SYS_ADMIN"]),
    "cap-drop": (["--seccomp", "--cap-drop", "CAP_CHOWN"], ["--cap-drop", "CHOWN"]),
    "read-only": (["--seccomp", "--read-only"], ["--read-only"]),
    "env": (["--seccomp", "--env", "A=1"], ["-e", "A=1"]),
    "cwd": (["--seccomp", "--cwd", "/tmp"], ["-w", "/tmp"]),
    "volume": (["--seccomp", "--mount", "type=bind,src=/srv,dst=/data,options=rbind:ro"], ["-v", "/srv:/data:ro"]),
    "memory": (["--seccomp", "--memory-limit", "1048576"], ["-m", "1m"]),
    "new-privileges": (["--seccomp", "--allow-new-privs"], ["--allow-new-privs"]),
}

DIFFERENCES = {
    r"ociVersion": "ours is the newest that the oldest packaged runtimes take",
    r"hostname": "a container is called by its id, as Docker's are; ctr leaves it without a name",
    r"process\.env": "ctr tells a container on the host's network its name in HOSTNAME too; programs ask the kernel",
    r"mounts\[/sys/fs/cgroup\]\..*": "a container sees its own cgroup, as CRI's do; ctr mounts none",
    r"mounts\[/(data|etc/hosts|etc/resolv\.conf)\]\.options": "what is mounted inside stays inside: rprivate",
    r"linux\.maskedPaths": "upstream masks /sys/devices/virtual/powercap since 1.7 (CVE-2020-8694)",
}
"""Fields of which the two may differ, and why. What stands here for no reason any more is told, too."""

PRIVILEGED = {r"process\.noNewPrivileges": "a privileged container may do as it likes, as with Docker"}

SINCE_1_6 = {
    "process_vm_readv process_vm_writev": "allowed to all from Linux 4.8, as ptrace",
    "io_uring_enter io_uring_register io_uring_setup": "taken out: too many ways out of containers led through it",
    "socket": "AF_ALG and AF_VSOCK were taken out",
    "name_to_handle_at": "gives nothing away by itself",
    "cachestat fchmodat2 futex_requeue futex_wait futex_wake getxattrat listmount listxattrat lsm_get_self_attr "
    "lsm_list_modules lsm_set_self_attr map_shadow_stack mseal removexattrat set_mempolicy_home_node setxattrat "
    "statmount uretprobe": "new calls",
}
OLD = {name for names in SINCE_1_6 for name in names.split()}
"""System calls of which upstream decides differently than its 1.6 did, and why."""

Pair = Callable[[list[str], list[str]], tuple[dict[str, Any], dict[str, Any]]]


@pytest.fixture
def made(containerd: Daemon, namespace: str) -> Iterator[Pair]:
    """Their specification and ours, for their options and ours."""

    def make(theirs: list[str], ours: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
        done = containerd.ctr("-n", namespace, "containers", "create", *theirs, BUSYBOX, THEIRS, "true", check=False)
        if "flag provided but not defined" in done.stderr:
            pytest.skip(done.stderr.strip())
        assert done.returncode == 0, done.stderr
        words = [sys.executable, "-m", "moorage_cli", "-a", containerd.address, "-n", namespace]
        subprocess.run([*words, "create", "--name", OURS, *ours, BUSYBOX, "true"], check=True, capture_output=True)
        return asyncio.run(_specs(containerd.address, namespace))

    yield make
    for id in containerd.ctr("-n", namespace, "containers", "ls", "-q").stdout.split():
        containerd.ctr("-n", namespace, "containers", "rm", id)


async def _specs(address: str, namespace: str) -> tuple[dict[str, Any], dict[str, Any]]:
    async with clients.connect(address, namespace) as client:
        theirs, ours = [containers.spec_of(await client.containers.get(id)) for id in (THEIRS, OURS)]
        return theirs, ours


def version(containerd: Daemon) -> tuple[int, int]:
    server = containerd.ctr("version").stdout.partition("Server:")[2]
    found = re.search(r"Version: +v?(\d+)\.(\d+)", server)
    assert found, server
    return int(found[1]), int(found[2])


def fields(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every field with its path. Absent, null, false, zero and empty are one in Go; order counts in commands alone."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from fields(inner, f"{path}.{key}" if path else key)
    elif path == "mounts":
        for mount in value:
            yield from fields(mount, f"mounts[{mount['destination']}]")
    elif path == "linux.seccomp.syscalls":
        for name, decided in decisions(value).items():
            yield f"syscall {name}", decided
    elif isinstance(value, list) and path != "process.args":
        yield from [(path, sorted(value, key=json.dumps))] if value else []
    elif value:
        yield path, str(value).replace(THEIRS, "<id>").replace(OURS, "<id>") if isinstance(value, str) else value


def decisions(rules: list[Mapping[str, Any]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for rule in rules:
        arguments = [
            (each["index"], each["op"], each["value"], each.get("valueTwo", 0)) for each in rule.get("args") or ()
        ]
        for name in rule["names"]:
            found.setdefault(name, set()).add(f"{rule['action']} {rule.get('errnoRet')} {arguments}")
    return found


def different(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    one, other = dict(fields(theirs)), dict(fields(ours))
    paths = sorted(one.keys() | other.keys())
    return {path: (one.get(path), other.get(path)) for path in paths if one.get(path) != other.get(path)}


def unexplained(found: Mapping[str, Any], known: Mapping[str, str]) -> dict[str, Any]:
    return {path: both for path, both in found.items() if not any(re.fullmatch(each, path) for each in known)}


@pytest.mark.parametrize("case", CASES)
def test_the_same_options_make_the_same_specification(made: Pair, containerd: Daemon, case: str) -> None:
    known = DIFFERENCES | (PRIVILEGED if case == "privileged" else {})
    if version(containerd) < (2, 4):
        known |= {f"syscall {name}": "see SINCE_1_6" for name in OLD}
    theirs, ours = made(*CASES[case])
    assert unexplained(different(theirs, ours), known) == {}
    assert ("seccomp" in ours["linux"]) == ("seccomp" in theirs["linux"])


def test_no_difference_is_excused_that_is_not_there(made: Pair, containerd: Daemon) -> None:
    theirs, ours = made(*CASES["host-network"])
    excused = set(DIFFERENCES)
    if version(containerd) > (1, 6):
        excused.remove(r"linux\.maskedPaths")
    found = different(theirs, ours)
    assert {each for each in excused if any(re.fullmatch(each, path) for path in found)} == excused


EXTRA = [f"CAP_{name}" for name in NUMBERS if f"CAP_{name}" not in capabilities.DEFAULT]


@pytest.mark.parametrize(
    "added", [[], EXTRA, *(pytest.param([name], marks=pytest.mark.full) for name in EXTRA)], ids="-".join
)
def test_a_capability_opens_what_it_opens_upstream(containerd: Daemon, namespace: str, added: list[str]) -> None:
    options = [word for name in added for word in ("--cap-add", name)]
    containerd.ctr("-n", namespace, "containers", "create", "--seccomp", *options, BUSYBOX, THEIRS, "true")
    spec = json.loads(containerd.ctr("-n", namespace, "containers", "info", "--spec", THEIRS).stdout)
    containerd.ctr("-n", namespace, "containers", "rm", THEIRS)
    held = seccomp.bounding(spec["process"])
    assert held == {*capabilities.DEFAULT, *added}
    facts = seccomp.Facts(platforms.host().architecture, settings.kernel_version(os.uname().release), held)
    ours, theirs = decisions(seccomp.profile(facts)["syscalls"]), decisions(spec["linux"]["seccomp"]["syscalls"])
    found = {name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)}
    assert found <= (OLD if version(containerd) < (2, 4) else set())
    if version(containerd) == (1, 6):
        # It had these for CAP_SYS_PTRACE and CAP_SYS_ADMIN, and the new one of CAP_SYS_NICE is for that alone.
        alike = {"name_to_handle_at", "process_vm_readv", "process_vm_writev"} if added else {"set_mempolicy_home_node"}
        assert found == OLD - alike or added not in ([], EXTRA)
