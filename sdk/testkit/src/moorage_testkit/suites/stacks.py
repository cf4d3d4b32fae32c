"""What every snapshotter must show of the files in a stack of snapshots. See ``suites.snapshots``."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from moorage_sdk import errors
from moorage_sdk.snapshots import Kind, Snapshotter
from moorage_sys import mounts
from moorage_testkit import trees
from moorage_testkit.suites.layers import STACKS, Change, all_of, chmod, chown, deep, mkdir, rename, write

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")


def commit_layer(snapshotter: Snapshotter, name: str, parent: str, change: Change) -> None:
    """Make the committed snapshot ``name``: its parent, changed by ``change``."""
    key = f"making {name}"
    with mounts.temporary(snapshotter.prepare(key, parent)) as place:
        change(place)
    snapshotter.commit(name, key)


def contents(snapshotter: Snapshotter, parent: str) -> dict[str, trees.Node]:
    """What a view of a committed snapshot shows."""
    key = f"looking at {parent}"
    try:
        with mounts.temporary(snapshotter.view(key, parent)) as place:
            return shown(place)
    finally:
        snapshotter.remove(key)


def shown(place: Path) -> dict[str, trees.Node]:
    """What a mounted snapshot shows, without the marks of the file system that shows it."""
    return trees.read(place, hidden=("trusted.overlay.", "security.selinux"))


def check_layers(snapshotter: Snapshotter, work: Path, layers: Iterable[Change], every: int = 1) -> None:
    """Each stack of layers must look as a plain directory does after the same changes: while it is written and when it
    is committed. Only one in ``every`` is looked at where looking takes too long, and the last one.
    """
    flat = work / "flat"
    flat.mkdir()
    flat.chmod(0o755)
    parent = ""
    for number, change in enumerate(layers):
        looked_at = number % every == 0
        name, key = f"layer {number}", f"making layer {number}"
        with mounts.temporary(snapshotter.prepare(key, parent)) as place:
            assert not looked_at or shown(place) == trees.read(flat), f"{name} before its change"
            change(flat)
            change(place)
            assert not looked_at or shown(place) == trees.read(flat), f"{name} before its commit"
        snapshotter.commit(name, key)
        assert not looked_at or contents(snapshotter, name) == trees.read(flat), name
        parent = name
    assert contents(snapshotter, parent) == trees.read(flat), parent


class StackSuite:
    """Provide a fixture ``snapshotter``. ``renames_directories``: renaming a directory of a lower layer works;
    ``rebases``: ``commit`` takes a parent for a snapshot that has none.
    """

    renames_directories = True
    rebases = False

    @pytest.fixture
    def snapshotter(self) -> Snapshotter:
        raise NotImplementedError("the deriving class makes the snapshotter")

    @needs_root
    @pytest.mark.parametrize("layers", STACKS)
    def test_stack_looks_as_a_plain_directory(self, snapshotter: Snapshotter, tmp_path: Path, layers: str) -> None:
        check_layers(snapshotter, tmp_path, STACKS[layers])

    @needs_root
    def test_directory_of_a_lower_layer_can_be_renamed(self, snapshotter: Snapshotter, tmp_path: Path) -> None:
        layers = [all_of(mkdir("dir1", 0o700), write("dir1/f", "x")), rename("dir1", "dir2")]
        if self.renames_directories:
            check_layers(snapshotter, tmp_path, layers)
            return
        with pytest.raises(OSError) as caught:
            check_layers(snapshotter, tmp_path, layers)
        assert caught.value.errno == errno.EXDEV

    @needs_root
    @pytest.mark.parametrize("every", [32, pytest.param(1, marks=pytest.mark.full)])
    def test_many_layers(self, snapshotter: Snapshotter, tmp_path: Path, every: int) -> None:
        check_layers(snapshotter, tmp_path, deep(128), every)

    @needs_root
    @pytest.mark.full
    def test_file_updated_in_any_part_of_a_second(self, snapshotter: Snapshotter, tmp_path: Path) -> None:
        """A file of the same size and second as before is another file (docker 21555)."""
        for attempt in range(5):
            work = tmp_path / str(attempt)
            work.mkdir()
            check_layers(snapshotter, work, STACKS["file update in a layer (docker 21555)"])
            for info in reversed(list(snapshotter.walk())):
                snapshotter.remove(info.name)
            time.sleep(1 - time.time() % 1)

    @needs_root
    def test_root_of_a_new_snapshot_is_open_to_all(self, snapshotter: Snapshotter) -> None:
        with mounts.temporary(snapshotter.prepare("key")) as place:
            assert place.stat().st_mode & 0o7777 == 0o755
            assert list(place.iterdir()) == []

    @needs_root
    def test_root_keeps_its_owner_and_mode_in_children(self, snapshotter: Snapshotter, tmp_path: Path) -> None:
        check_layers(snapshotter, tmp_path, [all_of(chmod(".", 0o711), chown(".", 7, 8)), write("file", "")])

    @needs_root
    @pytest.mark.parametrize("parents", [0, 1, 2])
    def test_view_is_read_only(self, snapshotter: Snapshotter, parents: int) -> None:
        parent = ""
        for number in range(parents):
            commit_layer(snapshotter, f"layer {number}", parent, write(f"file{number}", ""))
            parent = f"layer {number}"
        with mounts.temporary(snapshotter.view("view", parent)) as place:
            assert len(list(place.iterdir())) == parents
            with pytest.raises(OSError) as caught:
                (place / "file").touch()
            assert caught.value.errno == errno.EROFS
        for name in ("view", *(f"layer {number}" for number in reversed(range(parents)))):
            snapshotter.remove(name)
        assert list(snapshotter.walk()) == []

    @needs_root
    def test_writing_to_a_child_leaves_the_parent_alone(self, snapshotter: Snapshotter) -> None:
        commit_layer(snapshotter, "base", "", all_of(write("file", "old"), mkdir("dir"), write("dir/file", "old")))
        before = contents(snapshotter, "base")
        with mounts.temporary(snapshotter.prepare("child", "base")) as place:
            (place / "file").write_text("new")
            (place / "dir/file").unlink()
        assert contents(snapshotter, "base") == before

    @needs_root
    def test_mounts_can_be_asked_for_again(self, snapshotter: Snapshotter) -> None:
        made = snapshotter.prepare("key")
        with mounts.temporary(made) as place:
            (place / "file").touch()
        assert snapshotter.mounts("key") == made
        with mounts.temporary(snapshotter.mounts("key")) as place:
            assert (place / "file").exists()

    @needs_root
    def test_usage_counts_what_the_snapshot_adds(self, snapshotter: Snapshotter) -> None:
        with mounts.temporary(snapshotter.prepare("key")) as place:
            empty = snapshotter.usage("key")
            (place / "data").write_bytes(os.urandom(1 << 20))
            os.sync()
        usage = snapshotter.usage("key")
        assert (1 << 20) <= usage.size - empty.size <= (1 << 20) + (64 << 10)
        assert usage.inodes - empty.inodes == 1
        snapshotter.commit("name", "key")
        assert snapshotter.usage("name") == usage

    @needs_root
    def test_rebase(self, snapshotter: Snapshotter) -> None:
        commit_layer(snapshotter, "base", "", write("below", ""))
        with mounts.temporary(snapshotter.prepare("free")) as place:
            (place / "above").touch()
        if not self.rebases:
            with pytest.raises(errors.Unimplemented):
                snapshotter.commit("top", "free", parent="base")
            assert snapshotter.stat("free").kind is Kind.ACTIVE
            return
        snapshotter.commit("top", "free", parent="base")
        assert snapshotter.stat("top").parent == "base"
        assert sorted(contents(snapshotter, "top")) == [".", "above", "below"]
