from typing import Any


def test_again_and_again(cli: Any) -> None:
    assert cli("create", "--name", "c", "busybox", "sh", "-c", "echo $((1+1)) >> /n; wc -l < /n; exit 4").code == 0
    assert (cli("start", "-a", "c").code, cli("start", "-a", "c").out) == (4, "2\n")


def test_in_the_background(cli: Any) -> None:
    assert cli("create", "--name", "c", "busybox", "echo", "logged").code == 0
    for _ in range(2):
        assert cli("start", "c").out == "c\n"
        assert cli("wait", "c").out == "0\n"
    assert cli("logs", "c").out == "logged\nlogged\n"


def test_what_runs_is_left_alone(cli: Any) -> None:
    cli("run", "-d", "--name", "c", "busybox", "sleep", "100")
    result = cli("start", "c")
    assert result.code == 125
    assert "runs already" in result.err
    assert cli("ps", "-q").out == "c\n"


def test_only_one_can_be_attached_to(cli: Any) -> None:
    assert cli("start", "-a", "x", "y").code == 2
