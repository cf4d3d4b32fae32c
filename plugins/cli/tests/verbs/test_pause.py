from typing import Any


def test_frozen(cli: Any) -> None:
    cli("run", "-d", "--name", "c", "busybox", "sleep", "1000")
    assert cli("pause", "c").out == "c\n"
    assert "Paused" in cli("ps").out
    assert cli("pause", "nobody").code == 1
    assert cli("unpause", "c").code == 0
