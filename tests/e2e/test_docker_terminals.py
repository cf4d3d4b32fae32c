"""A person at a terminal with Docker's client, on both daemons."""

from __future__ import annotations

from contextlib import AbstractContextManager

import pexpect
import pytest

from moorage_testkit import persons
from moorage_testkit.engines import Engine
from moorage_testkit.persons import ended

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
"""pexpect forks, and executes at once."""

PROMPT = "/ # "


def person(docker: Engine, *words: str, rows: int = 24, columns: int = 80) -> AbstractContextManager[pexpect.spawn]:
    return persons.person(docker.words(*words), rows=rows, columns=columns, env=docker.env)


def test_a_shell(docker: Engine) -> None:
    with person(docker, "run", "--rm", "-it", "busybox", rows=33, columns=77) as child:
        child.expect(PROMPT)
        child.sendline("tty; stty size; exit 5")
        child.expect_exact("/dev/pts/0")
        child.expect("33 77")
        assert ended(child) == 5


def test_exec(docker: Engine) -> None:
    docker.docker("run", "-d", "--name", "web", "busybox", "sleep", "1000")
    with person(docker, "exec", "-it", "web", "sh", rows=30, columns=90) as child:
        child.expect(PROMPT)
        child.sendline("cat")
        child.sendline("typed")
        child.expect("typed\r\ntyped\r\n")
        child.sendintr()
        child.expect(PROMPT)
        child.sendline("echo interrupted=$?; stty size")
        child.expect("interrupted=130")
        child.expect("30 90")
        child.setwinsize(20, 50)
        for _ in range(20):
            child.sendline("sleep 0.1; stty size; echo end")
            if child.expect(["20 50\r\nend", "30 90\r\nend"]) == 0:
                break
        else:
            raise AssertionError("the terminal keeps its size")
        child.sendline("exit 4")
        assert ended(child) == 4


def test_leaving_and_coming_back(docker: Engine) -> None:
    with person(docker, "run", "-it", "--name", "web", "busybox", "sh") as child:
        child.expect(PROMPT)
        child.sendline("x=kept")
        child.expect(PROMPT)
        child.send("\x10\x11")
        assert ended(child) == 0
    with person(docker, "attach", "web") as child:
        child.sendline("echo $x; exit 6")
        child.expect("kept\r\n")
        assert ended(child) == 6
    assert "kept" in docker.docker("logs", "web").stdout


def test_an_end_of_input(docker: Engine) -> None:
    with person(docker, "run", "--rm", "-it", "busybox", "sh") as child:
        child.expect(PROMPT)
        child.sendeof()
        assert ended(child) == 0


def test_a_signal_to_the_client_is_one_to_the_container(docker: Engine) -> None:
    script = "trap 'echo stopping; exit 7' INT; echo ready; while :; do sleep 0.1; done"
    with person(docker, "run", "--rm", "busybox", "sh", "-c", script) as child:
        child.expect("ready")
        child.sendintr()
        child.expect("stopping")
        assert ended(child) == 7
