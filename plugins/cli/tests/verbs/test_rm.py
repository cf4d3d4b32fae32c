from typing import Any


def test_what_runs_needs_force(cli: Any, daemon: Any, namespace: str) -> None:
    cli("run", "-d", "--name", "c", "busybox", "sleep", "1000")
    result = cli("rm", "c")
    assert result.code == 1
    assert "hint: moorage stop c, or rm --force" in result.err
    assert cli("rm", "-f", "c").out == "c\n"
    assert cli("ps", "-aq").out == ""
    assert " c " not in daemon.ctr("-n", namespace, "snapshots", "ls").stdout


def test_several_of_which_one_is_missing(cli: Any) -> None:
    cli("create", "--name", "a", "busybox", "true")
    cli("create", "--name", "b", "busybox", "true")
    result = cli("rm", "a", "nobody", "b")
    assert (result.code, result.out) == (1, "a\nb\n")


def test_a_paused_one(cli: Any) -> None:
    cli("run", "-d", "--name", "c", "busybox", "sleep", "1000")
    cli("pause", "c")
    assert cli("rm", "-f", "c").code == 0
