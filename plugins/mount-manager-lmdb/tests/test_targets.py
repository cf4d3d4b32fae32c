import os
from pathlib import Path
from typing import Any

import pytest

from moorage_mount_manager_lmdb.records import Ending
from moorage_mount_manager_lmdb.targets import Targets
from moorage_sdk import errors
from moorage_sdk.activations import ActiveMount
from moorage_sdk.mounts import Mount
from moorage_sys import mountinfo, mounts

root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")


def test_folders_are_closed(tmp_path: Path) -> None:
    targets = Targets(tmp_path / "t", {})
    targets.create(1)
    assert targets.of(1) == tmp_path / "t/1"
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "t", targets.of(1))} == {0o700}
    with pytest.raises(FileExistsError):
        targets.create(1)


def test_handlers_do_their_types(house: Any) -> None:
    targets = Targets(house.targets, house.handlers)
    targets.create(1)
    done = targets.perform(1, 0, Mount("file", "/x"), ())
    assert done == ActiveMount(Mount("file", "/x"), f"{house.targets}/1/0", 7, {"made": "here"})
    targets.undo(Ending(1, ("file", "file")))
    assert house.files.calls == ["mount /x after 0", "unmount 1", "unmount 0"]
    targets.undo(Ending(1, ("file", "file")))


def test_a_link_without_its_handler_is_not_followed(tmp_path: Path) -> None:
    targets = Targets(tmp_path / "t", {})
    targets.create(1)
    (targets.of(1) / "0").symlink_to(tmp_path)
    with pytest.raises(errors.FailedPrecondition, match='no handler for type "loop"'):
        targets.undo(Ending(1, ("loop",)))
    assert (targets.of(1) / "0").is_symlink()


def test_strangers(tmp_path: Path) -> None:
    targets = Targets(tmp_path / "t", {})
    for number in (1, 2, 30):
        targets.create(number)
    (tmp_path / "t/x").mkdir()
    assert sorted(targets.strangers([2])) == [1, 30]


@root
def test_all_are_undone_although_one_fails(tmp_path: Path) -> None:
    targets = Targets(tmp_path / "t", {})
    targets.create(1)
    for index in range(3):
        targets.perform(1, index, Mount("tmpfs", "tmpfs"), ())
    held = os.open(targets.of(1) / "1", os.O_RDONLY | os.O_CLOEXEC)
    try:
        with pytest.raises(errors.FailedPrecondition, match="busy"):
            targets.undo(Ending(1, ("tmpfs",) * 3))
        left = [entry.mount_point for entry in mountinfo.beneath(str(tmp_path))]
        assert left == [f"{tmp_path}/t/1/1"]
    finally:
        os.close(held)
        targets.undo(Ending(1, ("tmpfs",) * 3))
    assert not targets.of(1).exists()


@root
def test_what_lies_on_top_goes_first(tmp_path: Path) -> None:
    targets = Targets(tmp_path / "t", {})
    targets.create(1)
    point = Path(targets.perform(1, 0, Mount("tmpfs", "tmpfs"), ()).mount_point)
    (point / "deep").mkdir()
    mounts.mount(Mount("tmpfs", "tmpfs"), point / "deep")
    targets.undo(Ending(1, ("tmpfs",)))
    assert mountinfo.beneath(str(tmp_path)) == []


@root
def test_whether_all_is_mounted(house: Any) -> None:
    targets = Targets(house.targets, house.handlers)
    targets.create(1)
    done = [targets.perform(1, 0, Mount("tmpfs", "tmpfs"), ()), targets.perform(1, 1, Mount("file", "/x"), ())]
    assert targets.mounted(done)
    assert targets.mounted([])
    mounts.unmount(done[0].mount_point)
    assert not targets.mounted(done)


@root
def test_clearing_what_nobody_knows(tmp_path: Path) -> None:
    targets = Targets(tmp_path / "t", {})
    targets.create(1)
    targets.perform(1, 0, Mount("tmpfs", "tmpfs"), ())
    targets.clear(1)
    targets.clear(2)
    assert mountinfo.beneath(str(tmp_path)) == []
    assert list((tmp_path / "t").iterdir()) == []


def test_handlers_are_asked_about_what_nobody_knows(house: Any) -> None:
    targets = Targets(house.targets, house.handlers)
    targets.create(1)
    for index in range(2):
        targets.perform(1, index, Mount("file", "/x"), ())
    house.files.calls.clear()
    targets.clear(1)
    assert house.files.calls == ["unmount 1", "unmount 0"]
    assert not targets.of(1).exists()
