"""A person at a real terminal: keys, screens, sizes, signals, and leaving without ending."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pexpect
import pytest

from moorage_testkit.persons import TIMEOUT, ended, person

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
"""pexpect forks, and executes at once."""

Command = Callable[..., list[str]]
PROMPT = "/ # "


def test_a_shell(command: Command) -> None:
    with person(command("run", "--rm", "-it", "busybox")) as child:
        child.expect(PROMPT)
        child.sendline("tty; echo $TERM; exit 5")
        child.expect_exact("/dev/pts/0")
        child.expect("xterm")
        assert ended(child) == 5


def test_keys_reach_the_program_and_not_us(command: Command) -> None:
    with person(command("run", "--rm", "-it", "busybox", "sh")) as child:
        child.expect(PROMPT)
        child.sendline("cat")
        child.sendline("typed")
        child.expect("typed\r\ntyped\r\n")
        child.sendintr()
        child.expect(PROMPT)
        child.sendline("echo interrupted=$?")
        child.expect("interrupted=130")
        child.expect(PROMPT)
        child.sendeof()
        assert ended(child) == 0


def test_the_first_size_and_a_later_one(command: Command) -> None:
    with person(command("run", "--rm", "-it", "busybox", "sh"), rows=33, columns=77) as child:
        child.expect(PROMPT)
        child.sendline("stty size")
        child.expect("33 77")
        child.setwinsize(20, 50)
        child.expect(PROMPT)
        deadline = time.monotonic() + TIMEOUT
        while True:
            child.sendline("stty size; echo end")
            if child.expect(["20 50\r\nend", "33 77\r\nend"]) == 0:
                break
            assert time.monotonic() < deadline, "the terminal keeps its size"
        child.sendline("exit")
        assert ended(child) == 0


def test_the_size_is_right_before_the_first_instruction(command: Command) -> None:
    with person(command("run", "--rm", "-it", "busybox", "stty", "size"), rows=41, columns=99) as child:
        child.expect("41 99")
        assert ended(child) == 0


def test_our_terminal_is_what_it_was(command: Command) -> None:
    with person(["sh", "-i"]) as child:
        child.sendline("stty -g > /dev/null; echo before=$(stty -a | md5sum)")
        child.expect(r"before=([0-9a-f]{32})")
        before = child.match.group(1)
        words = command("run", "--rm", "-it", "busybox", "true")
        child.sendline(" ".join(words) + "; echo after=$(stty -a | md5sum)")
        child.expect(r"after=([0-9a-f]{32})")
        assert child.match.group(1) == before


def test_exec_at_a_terminal(command: Command, moorage: Callable[..., object]) -> None:
    moorage("run", "-d", "--name", "web", "busybox", "sleep", "1000")
    with person(command("exec", "-it", "-e", "A=b", "web", "sh"), rows=30, columns=90) as child:
        child.expect(PROMPT)
        child.sendline("stty size; echo A=$A; exit 4")
        child.expect("30 90")
        child.expect("A=b")
        assert ended(child) == 4


def test_leaving_and_coming_back(command: Command) -> None:
    with person(command("run", "-it", "--name", "web", "busybox", "sh")) as child:
        child.expect(PROMPT)
        child.sendline("x=kept")
        child.expect(PROMPT)
        child.send("\x10\x11")
        assert ended(child) == 0
    with person(command("attach", "web")) as child:
        child.sendline("echo $x; exit 6")
        child.expect("kept\r\n")
        assert ended(child) == 6


def test_started_in_the_background_with_a_terminal(command: Command, moorage: Callable[..., object]) -> None:
    moorage("run", "-dit", "--name", "web", "busybox", "sh")
    with person(command("attach", "web")) as child:
        child.sendline("echo at $(tty); exit 3")
        child.expect("at /dev/pts/0")
        assert ended(child) == 3


def test_a_signal_to_us_is_one_to_the_container(command: Command) -> None:
    script = "trap 'echo got it; exit 9' USR1; echo ready; while :; do sleep 0.1; done"
    with person(command("run", "--rm", "busybox", "sh", "-c", script)) as child:
        child.expect("ready")
        child.kill(signal.SIGUSR1)
        child.expect("got it")
        assert ended(child) == 9


def test_interrupting_without_a_terminal_in_the_container(command: Command) -> None:
    script = "trap 'echo stopping; exit 7' INT; echo ready; while :; do sleep 0.1; done"
    with person(command("run", "--rm", "busybox", "sh", "-c", script)) as child:
        child.expect("ready")
        child.sendintr()
        child.expect("stopping")
        assert ended(child) == 7


def test_events_are_lines(command: Command, moorage: Callable[..., object]) -> None:
    with person(command("events"), columns=500) as child:
        deadline = time.monotonic() + TIMEOUT
        while child.expect(["/tasks/exit", pexpect.TIMEOUT], timeout=2):
            assert time.monotonic() < deadline, "no event arrived"
            moorage("run", "--rm", "busybox", "true")
        child.sendintr()
        assert ended(child) == 130
