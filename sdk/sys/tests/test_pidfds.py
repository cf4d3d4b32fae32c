import os
import select
import signal
import subprocess
import sys

import pytest

from moorage_sys import pidfds


def spawn(code: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-I", "-S", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def test_exit_code_is_a_shells() -> None:
    assert pidfds.Exit(7 << 8).code == 7
    assert pidfds.Exit(9).code == 137


@pytest.mark.skipif(not pidfds.has_exit_info(), reason="needs Linux 6.15")
@pytest.mark.parametrize(
    ("code", "wanted"), [("raise SystemExit(42)", 42), ("import os; os.kill(os.getpid(), 9)", 137)]
)
def test_exit_of_a_process_that_somebody_else_reaped(code: str, wanted: int) -> None:
    child = spawn(f"input(); {code}")
    fd = os.pidfd_open(child.pid)
    try:
        assert pidfds.exit_info(fd) is None
        child.communicate(b"\n", timeout=30)
        poll = select.poll()
        poll.register(fd, select.POLLHUP)
        assert poll.poll(30_000)
        info = pidfds.exit_info(fd)
        assert info is not None
        assert info.code == wanted
    finally:
        os.close(fd)


def test_signals_reach_the_process_and_only_it() -> None:
    child = spawn("input()")
    fd = pidfds.open_checked(child.pid, pidfds.start_time(child.pid))
    try:
        assert pidfds.is_running(fd)
        pidfds.send_signal(fd, signal.SIGKILL)
        child.communicate(timeout=30)
        assert not pidfds.is_running(fd)
        with pytest.raises(ProcessLookupError):
            pidfds.send_signal(fd, signal.SIGKILL)
    finally:
        os.close(fd)


def test_recycled_pid_is_not_taken_for_the_old_process() -> None:
    with pytest.raises(ProcessLookupError, match="another"):
        pidfds.open_checked(os.getpid(), pidfds.start_time(os.getpid()) + 1)


def test_start_time_of_nobody() -> None:
    with pytest.raises(ProcessLookupError):
        pidfds.start_time(2**22 + 1)
