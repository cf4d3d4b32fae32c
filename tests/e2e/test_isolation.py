"""What a container can do to the host, asked from inside, with the real runtime."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from moorage_client import clients
from moorage_testkit import daemons, images
from moorage_testkit.daemons import Daemon
from moorage_testkit.images import Layout
from moorage_testkit.worlds import verify_world

BUSYBOX = "docker.io/library/busybox:latest"
ID = f"isolated-{os.getpid()}"
Cli = Callable[..., subprocess.CompletedProcess[str]]

NUMBERS = {
    "x86_64": {"add_key": 248, "keyctl": 250, "unshare": 272, "userfaultfd": 323, "bpf": 321, "personality": 135},
    "aarch64": {"add_key": 217, "keyctl": 219, "unshare": 97, "userfaultfd": 282, "bpf": 280, "personality": 92},
}
"""arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h. Newer calls have one number for all."""

PROBE = """
import ctypes, errno, json, sys
libc, numbers = ctypes.CDLL(None, use_errno=True), json.loads(sys.argv[1])
def ask(name, *arguments):
    ctypes.set_errno(0)
    answer = libc.syscall(ctypes.c_long(numbers[name]), *map(ctypes.c_long, arguments))
    return 0 if answer >= 0 else ctypes.get_errno()
def socket(family):
    descriptor = libc.socket(family, 1 | 0o2000000, 0)
    return 0 if descriptor >= 0 else ctypes.get_errno()
print(json.dumps({
    "socket AF_ALG": socket(38),
    "socket AF_VSOCK": socket(40),
    "socket AF_UNIX": socket(1),
    "unshare user": ask("unshare", 0x10000000),
    "unshare mount": ask("unshare", 0x00020000),
    "clone3": ask("clone3", 0, 0),
    "keyctl": ask("keyctl", 0, -3, 0),
    "add_key": ask("add_key", 0, 0, 0, 0, -3),
    "userfaultfd": ask("userfaultfd", 0),
    "io_uring_setup": ask("io_uring_setup", 0, 0),
    "bpf": ask("bpf", 0, 0, 0),
    "open_tree": ask("open_tree", -100, 0, 0),
    "personality 0": ask("personality", 0),
    "personality exec": ask("personality", 0x0400000),
    "ptrace": 0 if libc.ptrace(0, 0, 0, 0) >= 0 else ctypes.get_errno(),
}))
"""
REFUSED = {
    **dict.fromkeys(("socket AF_ALG", "socket AF_VSOCK"), errno.EPERM),
    **dict.fromkeys(("unshare user", "unshare mount", "keyctl", "add_key", "userfaultfd"), errno.EPERM),
    **dict.fromkeys(("io_uring_setup", "bpf", "open_tree", "personality exec"), errno.EPERM),
    "clone3": errno.ENOSYS,
}
ALLOWED = {"socket AF_UNIX": 0, "personality 0": 0, "ptrace": 0}


@pytest.fixture
def cli(mooraged: Daemon, namespace: str) -> Iterator[Cli]:
    """A verb of the command line against our daemon."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-m", "moorage_cli", "-a", mooraged.address, "-n", namespace, *arguments]
        return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)

    yield run
    run("rm", "-f", ID)


@pytest.fixture
def python() -> list[str]:
    """Options for a container that has this interpreter."""
    base = Path(sys.executable).resolve().parents[1]
    places = [Path(each) for each in ("/usr", "/lib", "/lib64") if Path(each).exists()]
    places += [] if base.is_relative_to("/usr") else [base]
    return [word for place in places for word in ("-v", f"{place}:{place}:ro")]


def probe() -> list[str]:
    numbers = NUMBERS.get(platform.machine())
    if numbers is None:
        pytest.skip(f"no table of calls for {platform.machine()}")
    newer = {"io_uring_setup": 425, "open_tree": 428, "clone3": 435}
    return [str(Path(sys.executable).resolve()), "-I", "-S", "-c", PROBE, json.dumps({**numbers, **newer})]


def answers(done: subprocess.CompletedProcess[str]) -> dict[str, int]:
    assert done.returncode == 0, done.stderr
    found: dict[str, int] = json.loads(done.stdout)
    return found


def test_sec_60_what_the_kernel_refuses_a_container(cli: Cli, python: list[str]) -> None:
    found = answers(cli("run", "--rm", *python, BUSYBOX, *probe()))
    assert found == REFUSED | ALLOWED


def test_sec_60_a_process_that_is_executed_inside_is_filtered_too(cli: Cli, python: list[str]) -> None:
    assert cli("run", "-d", "--name", ID, *python, BUSYBOX, "sleep", "1000").returncode == 0
    assert answers(cli("exec", ID, *probe())) == REFUSED | ALLOWED


@pytest.mark.full
def test_without_the_filter_it_is_the_kernel_that_decides(cli: Cli, python: list[str]) -> None:
    """The same questions, so that it was the filter that refused before."""
    found = answers(cli("run", "--rm", "--security-opt", "seccomp=unconfined", *python, BUSYBOX, *probe()))
    assert found["clone3"] != errno.ENOSYS and found["personality exec"] == 0 and found["keyctl"] != errno.EPERM


def test_a_filter_of_ones_own(cli: Cli, tmp_path: Path) -> None:
    rule = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno.EXDEV}
    (tmp_path / "own.json").write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}))
    made = cli("run", "--rm", "--security-opt", f"seccomp={tmp_path}/own.json", BUSYBOX, "mkdir", "/x")
    assert made.returncode == 1 and "cross-device" in made.stderr.lower()


def status(text: str) -> dict[str, str]:
    lines = (line.partition(":") for line in text.splitlines())
    return {name: value.strip() for name, _, value in lines}


@pytest.mark.parametrize(
    ("options", "privileges", "filtered"),
    [
        ([], "1", "2"),
        (["--privileged"], "0", "0"),
        pytest.param(["--privileged", "--security-opt", "no-new-privileges"], "1", "0", marks=pytest.mark.full),
        pytest.param(["--security-opt", "no-new-privileges=false"], "0", "2", marks=pytest.mark.full),
        pytest.param(["--cap-add", "ALL"], "1", "2", marks=pytest.mark.full),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_sec_46_61_nothing_is_inherited(cli: Cli, options: list[str], privileges: str, filtered: str) -> None:
    """Neither capabilities nor descriptors, by the first process and by one that is executed beside it."""
    assert cli("run", "-d", "--name", ID, *options, BUSYBOX, "sleep", "1000").returncode == 0
    done = cli(
        "exec", ID, "sh", "-c", "ls /proc/1/fd; cat /proc/1/status; echo; ls /proc/$$/fd; cat /proc/$$/status; true"
    )
    for text in done.stdout.split("\n\n"):
        descriptors, found = text.partition("Name:")[0].split(), status(text)
        assert descriptors == ["0", "1", "2"]
        assert found["CapInh"] == found["CapAmb"] == "0" * 16
        assert (found["NoNewPrivs"], found["Seccomp"]) == (privileges, filtered)


@pytest.mark.parametrize("numbers", [(7,), pytest.param(range(3, 65), marks=pytest.mark.full)], ids=str)
def test_sec_61_no_process_begins_in_a_descriptor(mooraged: Daemon, namespace: str, cli: Cli, numbers: Any) -> None:
    """By ``ctr``, which asks for whatever it is told."""
    assert cli("run", "-d", "--name", ID, BUSYBOX, "sleep", "1000").returncode == 0
    for number in numbers:
        cwd = f"/proc/self/fd/{number}"
        ran = mooraged.ctr("-n", namespace, "run", "--rm", "--cwd", cwd, BUSYBOX, f"{ID}-x", "pwd", check=False)
        assert ran.returncode and "file descriptors" in ran.stderr, ran
        options = ["tasks", "exec", "--exec-id", "e", "--cwd", f"{cwd}/../.."]
        ran = mooraged.ctr("-n", namespace, *options, ID, "pwd", check=False)
        assert ran.returncode and "file descriptors" in ran.stderr, ran
        assert cli("exec", "-w", cwd, ID, "pwd").returncode == 125
    assert cli("exec", ID, "pwd").stdout == "/\n"
    assert mooraged.ctr("-n", namespace, "containers", "ls", "-q").stdout.split() == [ID]


def test_sec_51_a_sysctl_is_the_containers_alone(cli: Cli) -> None:
    before = Path("/proc/sys/net/ipv4/ip_default_ttl").read_text()
    done = cli(
        "run", "--rm", "--sysctl", "net.ipv4.ip_default_ttl=77", BUSYBOX, "cat", "/proc/sys/net/ipv4/ip_default_ttl"
    )
    assert (done.returncode, done.stdout) == (0, "77\n"), done.stderr
    assert Path("/proc/sys/net/ipv4/ip_default_ttl").read_text() == before


@pytest.mark.full
def test_sec_59_five_thousand_mounts_bring_nobody_down(cli: Cli, tmp_path: Path) -> None:
    """A runtime may refuse so many; what it must not do is to misread them."""
    volumes = [word for number in range(5000) for word in ("-v", f"{tmp_path}:/m/{number}:ro")]
    done = cli("run", "--rm", "--name", ID, *volumes, BUSYBOX, "sh", "-c", "ls /m | wc -l")
    assert done.returncode or done.stdout == "5000\n", done.stderr
    assert cli("run", "--rm", BUSYBOX, "true").returncode == 0


LINKS = [(name, kind) for name in ("dev", "proc", "sys", "etc", "run") for kind in ("absolute", "relative")]


@pytest.mark.parametrize(
    ("name", "kind"),
    [each if each in LINKS[:3] else pytest.param(*each, marks=pytest.mark.full) for each in LINKS],
)
def test_sec_5_10_a_root_file_system_that_leads_to_the_host(
    mooraged: Daemon, namespace: str, tmp_path: Path, name: str, kind: str
) -> None:
    """Started or refused, it changes nothing there; and whatever was made of it is gone."""
    victim = tmp_path / "victim"
    victim.mkdir()
    decoys = dict.fromkeys(("ptmx", "console", "null", "passwd", "hostname"), "decoy")
    for decoy, text in decoys.items():
        (victim / decoy).write_text(text)
    target = str(victim) if kind == "absolute" else "../" * 20 + str(victim).lstrip("/")
    image, layout = f"docker.io/library/{name}-{kind}:latest", Layout(tmp_path / "layout")
    busybox = images.File("bin/busybox", images.BUSYBOX.read_bytes(), 0o755)
    files = [images.directory("bin"), busybox, images.File(name, None, link=target)]
    layout.tag(image, layout.image([images.layer(files)]))
    mooraged.ctr("-n", namespace, "images", "import", str(images.archive(layout, tmp_path / "image.tar")))
    ran = mooraged.ctr("-n", namespace, "run", "--rm", image, ID, "/bin/busybox", "true", check=False)
    assert {path.name: path.read_text() for path in victim.iterdir() if not path.is_symlink()} == decoys
    assert len(list(victim.iterdir())) == len(decoys)
    if name == "dev":
        assert ran.returncode and "/dev leads out of it" in ran.stderr
    if name in ("proc", "sys"):
        assert ran.returncode
    verify_world(mooraged.world).assert_clean()


@pytest.fixture
def old(tmp_path: Path, archive: Path, request: pytest.FixtureRequest) -> Iterator[Daemon]:
    """Our daemon with a runc that says it is old, and the policy of the test."""
    if os.geteuid() or not shutil.which("runc"):
        pytest.skip("needs root and runc")
    said = 'echo "runc version 1.1.11"'
    (tmp_path / "runc").write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && {{ {said}; exit; }}\nexec {shutil.which("runc")} "$@"\n'
    )
    (tmp_path / "runc").chmod(0o755)
    config = f'[plugins."io.containerd.runtime.v1.runc"]\nold_runtime = "{request.param}"\n'
    program = daemons.moorage(config).with_env(PATH=f"{tmp_path}:{os.environ['PATH']}")
    namespace = f"old-{os.getpid()}"
    with daemons.directory() as base, Daemon(program, base, namespaces=[namespace]) as daemon:
        daemon.ctr("-n", namespace, "images", "import", str(archive))
        yield daemon
        verify_world(daemon.world).assert_clean()


async def _warnings(address: str) -> list[str]:
    async with clients.connect(address) as client:
        return [each for each in (await client.plugins.server()).deprecations if each.startswith("runc 1.1.11")]


@pytest.mark.parametrize("old", ["warn"], indirect=True)
def test_sec_10_an_old_runtime_is_told_of(old: Daemon) -> None:
    (namespace,) = old.namespaces
    assert asyncio.run(_warnings(old.address)) == []
    for _ in range(2):
        assert old.ctr("-n", namespace, "run", "--rm", BUSYBOX, ID, "echo", "ran").stdout == "ran\n"
    daemons.wait_until(lambda: asyncio.run(_warnings(old.address)))
    (warning,) = asyncio.run(_warnings(old.address))
    assert "CVE-2024-21626" in warning
    assert old.tail(1 << 20).count("runc 1.1.11") == 1


@pytest.mark.parametrize("old", ["refuse"], indirect=True)
def test_sec_10_an_old_runtime_is_refused(old: Daemon) -> None:
    (namespace,) = old.namespaces
    refused = old.ctr("-n", namespace, "run", "--rm", BUSYBOX, ID, "true", check=False)
    assert refused.returncode == 1 and "runc 1.1.11 lets containers out" in refused.stderr
    assert old.ctr("-n", namespace, "containers", "ls", "-q").stdout == ""
