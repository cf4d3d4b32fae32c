from typing import Any


def test_going_on(cli: Any) -> None:
    cli("run", "-d", "--name", "c", "busybox", "sleep", "1000")
    cli("pause", "c")
    assert cli("unpause", "c").out == "c\n"
    assert cli("exec", "c", "echo", "awake").out == "awake\n"
    assert cli("unpause", "nobody").code == 1
