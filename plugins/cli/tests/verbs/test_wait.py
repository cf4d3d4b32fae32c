from typing import Any


def test_codes_in_order(cli: Any) -> None:
    cli("run", "-d", "--name", "a", "busybox", "sh", "-c", "sleep 0.3; exit 1")
    cli("run", "-d", "--name", "b", "busybox", "sh", "-c", "exit 2")
    assert cli("wait", "a", "b", "a").out == "1\n2\n1\n"


def test_what_was_never_started(cli: Any) -> None:
    cli("create", "--name", "c", "busybox", "true")
    result = cli("wait", "c")
    assert result.code == 1
    assert "never started" in result.err
