import time
from typing import Any


def test_all_and_the_last(cli: Any) -> None:
    # On one stream: the shim of containerd closes a log file that both share as soon as the first has ended, and what
    # the other still brings is lost (copyPipes of cmd/containerd-shim-runc-v2/process/io.go). Our own loses nothing.
    cli("run", "-d", "--name", "c", "busybox", "sh", "-c", "echo one; echo two; echo three")
    cli("wait", "c")
    deadline = time.monotonic() + 10
    while len(cli("logs", "c").out.split()) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)  # containerd's shim copies, and tells of the end before it has copied everything
    assert cli("logs", "c").out == "one\ntwo\nthree\n"
    assert cli("logs", "--tail", "1", "c").out == "three\n"
    assert cli("logs", "--tail", "0", "c").out == ""


def test_following_ends_with_the_container(cli: Any) -> None:
    cli("run", "-d", "--name", "c", "busybox", "sh", "-c", "echo one; sleep 0.5; echo two")
    assert cli("logs", "-f", "c").out == "one\ntwo\n"


def test_none(cli: Any) -> None:
    cli("create", "--name", "c", "busybox", "true")
    result = cli("logs", "c")
    assert result.code == 1
    assert "keeps no log" in result.err
    assert result.err.count("\n") == 2
