from typing import Any


def test_signals(cli: Any) -> None:
    cli("run", "-d", "--name", "c", "busybox", "sleep", "1000")
    assert cli("kill", "-s", "NOPE", "c").code == 1
    assert cli("kill", "-s", "WINCH", "c").code == 0
    assert cli("ps", "-q").out == "c\n"
    assert cli("kill", "c").out == "c\n"
    assert cli("wait", "c").out == "137\n"
    assert cli("kill", "c").code == 1
