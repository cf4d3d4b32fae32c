from typing import Any

import pytest


@pytest.fixture
def web(cli: Any) -> Any:
    assert cli("run", "-d", "--name", "web", "-e", "A=1", "busybox", "sleep", "1000").code == 0
    return cli


def test_what_it_inherits_and_what_is_changed(web: Any) -> None:
    assert web("exec", "web", "sh", "-c", "echo $A$B; pwd").out == "1\n/\n"
    result = web("exec", "-e", "B=2", "-w", "/tmp", "-u", "nobody", "web", "sh", "-c", "echo $A$B; pwd; id -u")
    assert result.out == "12\n/tmp\n65534\n"


def test_exit_codes(web: Any) -> None:
    assert web("exec", "web", "sh", "-c", "exit 9").code == 9
    assert web("exec", "web", "nonsense").code == 127
    assert web("exec", "web", "/etc").code == 126
    assert web("exec", "nobody", "true").code == 125
    assert web("exec", "-u", "nosuchuser", "web", "true").code == 125


def test_sec_46_no_inheritable_capabilities(web: Any) -> None:
    assert web("exec", "web", "grep", "CapInh", "/proc/self/status").out == "CapInh:\t0000000000000000\n"


def test_a_process_is_filtered_as_its_container_is(web: Any) -> None:
    assert web("exec", "web", "grep", "Seccomp:", "/proc/self/status").out == "Seccomp:\t2\n"


def test_sec_61_no_process_begins_among_descriptors(web: Any) -> None:
    for place in ("/proc/self/fd/7", "/proc/self/fd/7/../../..", "/dev/fd/7"):
        assert web("exec", "-w", place, "web", "pwd").code == 125


def test_input(web: Any, command: Any) -> None:
    data = bytes(range(256)) * 2000
    assert command("exec", "-i", "web", "cat", input=data).stdout == data


def test_a_background_child_does_not_keep_us(web: Any) -> None:
    assert web("exec", "web", "sh", "-c", "sleep 500 & echo done").out == "done\n"


def test_detached(web: Any) -> None:
    assert web("exec", "-d", "web", "sh", "-c", "echo x > /made").code == 0
    assert web("exec", "web", "sh", "-c", "while ! [ -e /made ]; do sleep 0.1; done; cat /made").out == "x\n"


def test_a_container_that_does_not_run(cli: Any) -> None:
    cli("create", "--name", "c", "busybox", "true")
    result = cli("exec", "c", "true")
    assert result.code == 125
    assert "not running" in result.err
