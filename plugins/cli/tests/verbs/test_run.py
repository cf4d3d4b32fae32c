from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("options", "script", "out"),
    [
        (["-e", "A=1"], "echo $A", "1\n"),
        (["-w", "/tmp"], "pwd", "/tmp\n"),
        (["-u", "65534:7"], "id -u; id -g; id -G", "65534\n7\n7\n"),
        (["-u", "nobody"], "id -un", "nobody\n"),
        (["--hostname", "box"], "hostname", "box\n"),
        (["--name", "named"], "hostname", "named\n"),
        (["--read-only"], "touch /x 2>/dev/null || echo no", "no\n"),
        (["--cap-drop", "ALL"], "grep CapEff /proc/self/status", "CapEff:\t0000000000000000\n"),
        ([], "grep NoNewPrivs /proc/self/status", "NoNewPrivs:\t1\n"),
        (["--allow-new-privs"], "grep NoNewPrivs /proc/self/status", "NoNewPrivs:\t0\n"),
        ([], "ip link | grep -c ^[0-9]", "1\n"),
        ([], "exec ls /proc/self/fd", "0\n1\n2\n3\n"),
    ],
)
def test_options_arrive(cli: Any, options: list[str], script: str, out: str) -> None:
    result = cli("run", "--rm", *options, "busybox", "sh", "-c", script)
    assert (result.code, result.out) == (0, out)


def test_entrypoint_and_volume(cli: Any, tmp_path: Any) -> None:
    (tmp_path / "file").write_text("inside")
    result = cli("run", "--rm", "-v", f"{tmp_path}:/data:ro", "--entrypoint", "cat", "busybox", "/data/file")
    assert result.out == "inside"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["busybox", "nonsense"], 127),
        (["busybox", "/etc"], 126),
        (["nosuchimage", "x"], 125),
        (["--pull", "never", "nosuchimage", "x"], 125),
        (["-m", "lots", "busybox", "true"], 125),
        (["-u", "nosuchuser", "busybox", "true"], 125),
        (["-u", "4294967296", "busybox", "true"], 125),
        (["-w", "/proc/self/fd/7", "busybox", "true"], 125),
        (["--snapshotter", "none", "busybox", "true"], 125),
        (["--runtime", "io.containerd.none.v9", "busybox", "true"], 125),
        (["--name", "not/an/id", "busybox", "true"], 125),
        (["-d", "--rm", "busybox", "true"], 125),
        (["-it", "busybox", "true"], 125),
    ],
)
def test_failures_are_told_apart_and_leave_nothing(command: Any, cli: Any, arguments: list[str], code: int) -> None:
    done = command("run", *arguments)
    assert done.returncode == code, done.stderr
    assert b"Traceback" not in done.stderr
    assert done.stderr.startswith(b"moorage: ") or b"\nmoorage: " in done.stderr
    assert cli("ps", "-aq").out == ""


def test_detached(cli: Any) -> None:
    result = cli("run", "-d", "busybox", "sleep", "100")
    assert result.code == 0
    assert result.out.strip() == cli("ps", "-q").out.strip()


def test_without_rm_the_container_stays(cli: Any) -> None:
    assert cli("run", "--name", "kept", "busybox", "true").code == 0
    assert cli("ps", "-q").out == ""
    assert cli("ps", "-aq").out == "kept\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--security-opt", "apparmor=docker-default"], "no AppArmor"),
        (["--security-opt", "label=type:spc_t"], "no SELinux"),
        (["--security-opt", "seccomp=/nonexistent"], "seccomp profile"),
        (["--security-opt", "nonsense"], "security option"),
        (["--allow-new-privs", "--security-opt", "no-new-privileges"], "only one of them"),
        (["--sysctl", "kernel.core_pattern=x"], "belongs to no namespace"),
        (["-e", "A=a\0b"], "must be NAME=value"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_made(cli: Any, options: list[str], said: str) -> None:
    kernel = {"no AppArmor": "/sys/module/apparmor", "no SELinux": "/sys/fs/selinux/enforce"}
    if said in kernel and Path(kernel[said]).exists():
        pytest.skip("this kernel has it")
    refused = cli("run", "--rm", "--name", "x", *options, "busybox", "true")
    assert refused.code == 125 and said in refused.err
    assert cli("ps", "-aq").out == ""


@pytest.mark.parametrize(
    ("options", "filtered"),
    [([], "2"), (["--security-opt", "seccomp=unconfined"], "0"), (["--privileged"], "0")],
)
def test_system_calls_are_filtered_unless_somebody_says_otherwise(cli: Any, options: list[str], filtered: str) -> None:
    result = cli("run", "--rm", *options, "busybox", "grep", "Seccomp:", "/proc/self/status")
    assert (result.code, result.out) == (0, f"Seccomp:\t{filtered}\n")
