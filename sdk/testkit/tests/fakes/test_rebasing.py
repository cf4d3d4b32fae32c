from pathlib import Path

import pytest

from moorage_sdk import errors
from moorage_sdk.labels import SNAPSHOT_REF
from moorage_testkit.fakes.rebasing import RebasingSnapshotter


def test_a_parent_can_come_at_commit(tmp_path: Path) -> None:
    snapshots = RebasingSnapshotter(tmp_path)
    for key, name in (("a", "low"), ("b", "kept")):
        snapshots.prepare(key)
        (snapshots.folders[key] / key).write_text(key)
        snapshots.commit(name, key, parent="low" if key == "b" else "")
    assert sorted(file.name for file in snapshots.folders["kept"].iterdir()) == ["a", "b"]
    assert snapshots.stat("kept").parent == "low"


def test_a_parent_must_be_committed(tmp_path: Path) -> None:
    snapshots = RebasingSnapshotter(tmp_path)
    snapshots.prepare("a")
    snapshots.prepare("b")
    with pytest.raises(errors.InvalidArgument):
        snapshots.commit("name", "a", parent="b")


def test_what_is_there_by_reference_is_not_prepared(tmp_path: Path) -> None:
    snapshots = RebasingSnapshotter(tmp_path)
    snapshots.prepare("a", labels={SNAPSHOT_REF: "name"})
    snapshots.commit("name", "a")
    with pytest.raises(errors.AlreadyExists):
        snapshots.prepare("b", labels={SNAPSHOT_REF: "name"})
