from typing import Any


def test_a_container_that_does_not_run_yet(cli: Any) -> None:
    assert cli("create", "--name", "later", "busybox", "echo", "now").out == "later\n"
    assert "Created" in cli("ps", "-a").out
    assert cli("ps", "-q").out == ""
    assert cli("start", "-a", "later").out == "now\n"


def test_no_such_image(cli: Any) -> None:
    assert cli("create", "--pull", "never", "nothing").code == 125
