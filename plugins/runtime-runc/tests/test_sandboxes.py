"""Sandboxes and their records."""

from __future__ import annotations

from pathlib import Path

import pytest

from moorage_runtime_runc.records import Index
from moorage_runtime_runc.sandboxes import FILE, NOT_READY, READY, Sandboxes
from moorage_sdk import errors


def bundle(folder: Path, id: str) -> Path:
    (folder / id).mkdir()
    return folder / id


def opened(folder: Path) -> Sandboxes:
    sandboxes = Sandboxes(Index(folder / "index"))
    sandboxes.adopt()
    return sandboxes


def test_a_life(tmp_path: Path) -> None:
    sandboxes = opened(tmp_path)
    pod = sandboxes.create("ns", "pod", bundle(tmp_path, "pod"))
    assert (pod.state, len(sandboxes)) == (NOT_READY, 1)
    with pytest.raises(errors.AlreadyExists):
        sandboxes.create("ns", "pod", pod.bundle)
    sandboxes.start(pod)
    assert pod.state == READY
    with pytest.raises(errors.FailedPrecondition, match="was started before"):
        sandboxes.start(pod)
    sandboxes.stop(pod)
    ended = pod.exited_at
    sandboxes.stop(pod)
    assert (pod.state, pod.exited_at, pod.ended.is_set()) == (NOT_READY, ended, True)
    with pytest.raises(errors.FailedPrecondition):
        sandboxes.start(pod)
    sandboxes.remove(pod)
    assert len(sandboxes) == 0
    assert not (pod.bundle / FILE).exists()
    with pytest.raises(errors.NotFound):
        sandboxes.get("ns", "pod")


def test_bad_names_are_refused(tmp_path: Path) -> None:
    sandboxes = opened(tmp_path)
    for id in ("", "../x", "a b"):
        with pytest.raises(errors.InvalidArgument):
            sandboxes.create("ns", id, tmp_path)
    with pytest.raises(errors.InvalidArgument, match="absolute"):
        sandboxes.create("ns", "pod", Path("x"))
    with pytest.raises(errors.FailedPrecondition, match="namespace"):
        sandboxes.create("", "pod", tmp_path)
    with pytest.raises(errors.FailedPrecondition, match="namespace"):
        sandboxes.get("", "pod")
    assert len(sandboxes) == 0


def test_the_next_monitor_knows_them(tmp_path: Path) -> None:
    first = opened(tmp_path)
    for id in ("made", "started", "stopped", "removed"):
        sandbox = first.create("ns", id, bundle(tmp_path, id))
        if id != "made":
            first.start(sandbox)
    first.stop(first.get("ns", "stopped"))
    first.remove(first.get("ns", "removed"))
    second = opened(tmp_path)
    states = {id: second.get("ns", id).state for id in ("made", "started", "stopped")}
    assert states == {"made": NOT_READY, "started": READY, "stopped": NOT_READY}
    assert second.get("ns", "stopped").ended.is_set()
    assert not second.get("ns", "started").ended.is_set()
    assert second.get("ns", "made").created_at == first.get("ns", "made").created_at
    with pytest.raises(errors.NotFound):
        second.get("ns", "removed")


def test_bundles_that_are_gone_or_damaged_take_nobody_along(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = opened(tmp_path)
    for id in ("gone", "torn", "strange", "good"):
        first.create("ns", id, bundle(tmp_path, id))
    (tmp_path / "gone" / FILE).unlink()
    (tmp_path / "torn" / FILE).write_text('{"created_at": 1')
    (tmp_path / "strange" / FILE).write_text('{"colour": 1}')
    second = opened(tmp_path)
    assert len(second) == 1
    assert second.get("ns", "good").created_at > 0
    assert [id for id in ("gone", "torn", "strange") if f"ns/{id}" in caplog.text] == ["torn", "strange"]


def test_a_disk_that_refuses_leaves_the_name_free(tmp_path: Path) -> None:
    sandboxes = opened(tmp_path)
    with pytest.raises(errors.NotFound, match="no such directory"):
        sandboxes.create("ns", "pod", tmp_path / "missing")
    (bundle(tmp_path, "full") / f".{FILE}.new").mkdir()
    with pytest.raises(OSError, match="directory"):
        sandboxes.create("ns", "pod", tmp_path / "full")
    assert len(sandboxes) == 0
    assert sandboxes.create("ns", "pod", bundle(tmp_path, "pod")).id == "pod"
