from pathlib import Path
from typing import Any

from moorage_cli import logs, runs
from moorage_client import fifos


def test_ids_are_short_and_no_numbers() -> None:
    ids = {runs.fresh_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(len(id) == 12 and id.startswith("c") for id in ids)


def test_what_cannot_start_leaves_nothing(cli: Any, namespace: str) -> None:
    for detach in ([], ["-d"]):
        result = cli("run", *detach, "--name", "gone", "busybox", "nonsense")
        assert result.code == 127
        assert cli("ps", "-aq").out == ""
    assert not (logs.FOLDER / namespace / "gone.log").exists()
    assert not fifos.DEFAULT_FOLDER.exists() or list(fifos.DEFAULT_FOLDER.iterdir()) == []


def test_a_name_that_is_taken_does_not_hurt_who_has_it(cli: Any) -> None:
    assert cli("run", "-d", "--name", "web", "busybox", "sleep", "100").code == 0
    result = cli("run", "-d", "--name", "web", "busybox", "sleep", "1")
    assert result.code == 125
    assert "already exists" in result.err
    assert cli("ps", "-q").out == "web\n"
    assert cli("logs", "web").code == 0


def test_the_exit_code_outlives_the_task(cli: Any) -> None:
    assert cli("run", "--name", "once", "busybox", "sh", "-c", "exit 5").code == 5
    assert "Exited (5)" in cli("ps", "-a").out
    assert cli("wait", "once").out == "5\n"


def test_removal_takes_the_log(cli: Any, namespace: str) -> None:
    assert cli("run", "-d", "--name", "web", "busybox", "echo", "x").code == 0
    assert cli("wait", "web").code == 0
    path = Path(logs.FOLDER / namespace / "web.log")
    assert path.read_text() == "x\n"
    assert cli("rm", "web").code == 0
    assert not path.exists()


def test_fifos_go_with_the_task(cli: Any) -> None:
    for end in (["rm", "-f", "c"], ["start", "c"]):
        assert cli("run", "-d", "-i", "--name", "c", "busybox", "sh", "-c", "exit 0").code == 0
        cli("wait", "c")
        folders = set(fifos.DEFAULT_FOLDER.iterdir())
        assert len(folders) == 1
        assert cli(*end).code == 0
        assert not folders & set(fifos.DEFAULT_FOLDER.iterdir())
