import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from moorage_metadata_lmdb.backups import Backups, copies


def test_a_copy_put_in_place_is_the_store_of_its_time(rig: Any, tmp_path: Path) -> None:
    rig.view().leases.create("before")
    backups = Backups(rig.store, tmp_path / "copies", 3600, 3)
    backups.copy()
    rig.view().leases.create("after")
    backups.stop()
    rig.database.close()
    shutil.copy(copies(tmp_path / "copies")[-1], rig.path / "data.mdb")
    rig.open()
    assert [lease.id for lease in rig.view().leases.list()] == ["before"]


def test_the_newest_are_kept(rig: Any, tmp_path: Path) -> None:
    backups = Backups(rig.store, tmp_path / "copies", 3600, 2)
    made = []
    for _ in range(4):
        backups.copy()
        made.append(copies(tmp_path / "copies")[-1])
    backups.stop()
    assert copies(tmp_path / "copies") == made[-2:]


def test_copies_are_made_when_something_changed(rig: Any, tmp_path: Path) -> None:
    backups = Backups(rig.store, tmp_path / "copies", 0.002, 3)
    time.sleep(0.02)
    assert copies(tmp_path / "copies") == []
    rig.view().leases.create("l")
    deadline = time.monotonic() + 20
    while not copies(tmp_path / "copies") and time.monotonic() < deadline:
        time.sleep(0.002)
    backups.stop()
    assert copies(tmp_path / "copies")


def test_a_copy_that_fails_is_told_and_tried_again(rig: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "copies"
    backups = Backups(rig.store, folder, 0.002, 3)
    folder.rmdir()
    rig.view().leases.create("l")
    deadline = time.monotonic() + 20
    while "metadata not copied" not in caplog.text and time.monotonic() < deadline:
        time.sleep(0.002)
    folder.mkdir()
    while not copies(folder) and time.monotonic() < deadline:
        time.sleep(0.002)
    backups.stop()
    assert "metadata not copied" in caplog.text
    assert copies(folder)
