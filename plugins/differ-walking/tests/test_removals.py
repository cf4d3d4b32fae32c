import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage_differ_walking.entries import Entry
from moorage_differ_walking.folders import Folders
from moorage_differ_walking.removals import Made, OverlayRemovals, PlainRemovals
from moorage_sdk import errors

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="whiteouts need root")
ENTRY = Entry(b".wh.x", b"0", 0, 5, 6, 0, 0, 0)


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "root").mkdir()
    fd = os.open(tmp_path / "root", os.O_RDONLY)
    yield fd
    os.close(fd)


def test_plain_opaque_spares_what_the_layer_made(tmp_path: Path, root: int) -> None:
    for name in ("old/f", "kept/old", "kept/new"):
        (tmp_path / "root" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "root" / name).touch()
    made = Made(root)
    kept = os.open(tmp_path / "root/kept", os.O_PATH)
    made.add(root, b"kept")
    made.add(kept, b"new")
    os.close(kept)
    PlainRemovals(made).white_out(b"", root, b".wh..wh..opq", ENTRY)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == [
        "root", "root/kept", "root/kept/new",
    ]  # fmt: skip


def test_nothing_is_remembered_where_nothing_was(tmp_path: Path, root: int) -> None:
    made = Made(root)
    (tmp_path / "root/new").touch()
    PlainRemovals(made).white_out(b"", root, b".wh..wh..opq", ENTRY)
    assert (tmp_path / "root/new").exists()


@pytest.mark.parametrize("base", [b".wh.", b".wh..", b".wh..."])
def test_names_that_reach_out_are_refused(tmp_path: Path, root: int, base: bytes) -> None:
    (tmp_path / "root/f").touch()
    for removals in (PlainRemovals(Made(root)), OverlayRemovals(root, [], Folders(root, []))):
        with pytest.raises(errors.InvalidArgument):
            removals.white_out(b"", root, base, ENTRY)
    assert (tmp_path / "root/f").exists()


@root_only
def test_overlay_writes_down_only_what_hides_something(tmp_path: Path, root: int) -> None:
    (tmp_path / "lower/d").mkdir(parents=True)
    (tmp_path / "lower/d/f").touch()
    lower = os.open(tmp_path / "lower", os.O_RDONLY)
    folders = Folders(root, [lower])
    removals = OverlayRemovals(root, [lower], folders)
    for name in (b"f", b"nothing"):
        removals.remove(b"d", folders.find(b"d"), name, ENTRY)
    status = (tmp_path / "root/d/f").lstat()
    assert stat.S_ISCHR(status.st_mode)
    assert (status.st_rdev, status.st_uid, status.st_gid) == (0, 5, 6)
    assert not (tmp_path / "root/d/nothing").exists()
    folders.close()
    os.close(lower)


@root_only
def test_overlay_without_lower_layers_writes_down_everything(tmp_path: Path, root: int) -> None:
    folders = Folders(root, [])
    removals = OverlayRemovals(root, [], folders)
    removals.remove(b"", root, b"unknown", ENTRY)
    removals.white_out(b"d", folders.find(b"d"), b".wh..wh..opq", ENTRY)
    assert stat.S_ISCHR((tmp_path / "root/unknown").lstat().st_mode)
    assert os.getxattr(tmp_path / "root/d", "trusted.overlay.opaque") == b"y"
    folders.close()
