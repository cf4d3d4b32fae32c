import io
import sys
from typing import Any

import pytest

from moorage_cli import attachments
from moorage_cli.attachments import Streams
from moorage_sdk import errors


def test_an_interactive_terminal_needs_one_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with pytest.raises(errors.InvalidArgument, match="not a terminal"):
        Streams(interactive=True, terminal=True).check()
    Streams(interactive=True).check()
    Streams(terminal=True).check()


class File:
    def __init__(self, fd: int) -> None:
        self.fileno = lambda: fd


def test_which_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, fd in (("stdin", 10), ("stdout", 11), ("stderr", 12)):
        monkeypatch.setattr(sys, name, File(fd))
    plain, terminal = Streams(interactive=True).local(), Streams(terminal=True).local()
    assert (plain.stdin, plain.stdout, plain.stderr) == (10, 11, 12)
    assert (terminal.stdin, terminal.stdout, terminal.stderr) == (None, 11, None)


def test_the_size_of_whichever_stream_is_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moorage_client.terminals.size", lambda fd: (80, 24) if fd == 2 else None)
    assert attachments.local_size() == (80, 24)


def test_exit_codes_and_output(cli: Any) -> None:
    result = cli("run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (result.code, result.out, result.err) == (3, "out\n", "err\n")


def test_input_and_its_end(command: Any) -> None:
    done = command("run", "--rm", "-i", "busybox", "wc", "-c", input=b"x" * 100_000)
    assert (done.returncode, done.stdout.strip()) == (0, b"100000")


def test_output_that_nobody_reads_ends_the_container(command: Any, cli: Any) -> None:
    done = command("run", "--rm", "-i", "busybox", "sh", "-c", "echo before; cat", input=b"after")
    assert done.stdout == b"before\nafter"
    assert cli("ps", "-aq").out == ""
