from pathlib import Path
from typing import Any

import pytest

from moorage_cli import logs, runs
from moorage_client import fifos
from moorage_sdk.tasks import Stdio


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


@pytest.mark.parametrize("place", ["../victim", "other.log"])
def test_a_log_that_is_not_the_containers_own_is_neither_shown_nor_removed(
    cli: Any, namespace: str, place: str
) -> None:
    """Clients copy an image's labels to containers, so the label may say whatever its maker liked."""
    victim = logs.FOLDER / namespace / place
    victim.parent.mkdir(parents=True, exist_ok=True)
    victim.write_text("precious")
    assert cli("create", "--name", "evil", "-l", f"{logs.LABEL}={victim}", "busybox", "true").code == 0
    shown = cli("logs", "evil")
    assert (shown.code, shown.out) == (1, "") and "keeps no log" in shown.err
    assert cli("rm", "evil").code == 0
    assert victim.read_text() == "precious"


def test_fifos_elsewhere_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fifos, "DEFAULT_FOLDER", tmp_path / "deep" / "fifos")  # never the host's
    kept = fifos.DEFAULT_FOLDER / "kept"
    kept.mkdir(parents=True)
    runs._remove_fifos(Stdio(stdout=str(fifos.DEFAULT_FOLDER / ".." / "stdout")))
    assert kept.exists()


def test_fifos_go_with_the_task(cli: Any) -> None:
    for end in (["rm", "-f", "c"], ["start", "c"]):
        assert cli("run", "-d", "-i", "--name", "c", "busybox", "sh", "-c", "exit 0").code == 0
        cli("wait", "c")
        folders = set(fifos.DEFAULT_FOLDER.iterdir())
        assert len(folders) == 1
        assert cli(*end).code == 0
        assert not folders & set(fifos.DEFAULT_FOLDER.iterdir())
