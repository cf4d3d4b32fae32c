"""What every snapshotter must do. After ``core/snapshots/testsuite`` of containerd v2.3, and what it leaves open."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import pytest

from moorage_sdk import errors, labels
from moorage_sdk.snapshots import Cleaner, Info, Kind, Snapshotter
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


FAMILY = {
    "c1": (Kind.COMMITTED, ""),
    "c2": (Kind.COMMITTED, "c1"),
    "a1": (Kind.ACTIVE, "c2"),
    "a2": (Kind.ACTIVE, ""),
    "v1": (Kind.VIEW, "c2"),
    "v2": (Kind.VIEW, ""),
}
"""Snapshots of all kinds, with a parent and without: kind and parent by name."""


def make_family(snapshotter: Snapshotter) -> None:
    for name, (kind, parent) in FAMILY.items():
        if kind is Kind.VIEW:
            snapshotter.view(name, parent)
        elif kind is Kind.ACTIVE:
            snapshotter.prepare(name, parent)
        else:
            snapshotter.prepare(f"{name}-key", parent)
            snapshotter.commit(name, f"{name}-key")


class SnapshotSuite:
    """Provide a fixture ``snapshotter``. ``renames_directories``: renaming a directory of a lower layer works;
    ``rebases``: ``commit`` takes a parent for a snapshot that has none; ``own_labels``: what the snapshotter itself
    tells of a snapshot.
    """

    renames_directories = True
    rebases = False
    own_labels: Sequence[str] = ()

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

    def test_stat(self, snapshotter: Snapshotter) -> None:
        snapshotter.prepare("key", labels={"containerd.io/snapshot/a": "1"})
        active = snapshotter.stat("key")
        assert (active.kind, active.name, active.parent) == (Kind.ACTIVE, "key", "")
        assert dict(active.labels).items() >= {"containerd.io/snapshot/a": "1"}.items()
        snapshotter.commit("name", "key", {"containerd.io/snapshot/b": "2"})
        committed = snapshotter.stat("name")
        assert (committed.kind, committed.name, committed.parent) == (Kind.COMMITTED, "name", "")
        assert "containerd.io/snapshot/a" not in committed.labels
        assert committed.labels["containerd.io/snapshot/b"] == "2"
        assert 0 < active.created_at <= committed.created_at
        with pytest.raises(errors.NotFound):
            snapshotter.stat("key")
        snapshotter.view("view", "name")
        assert (snapshotter.stat("view").kind, snapshotter.stat("view").parent) == (Kind.VIEW, "name")

    def test_what_is_new_is_as_it_was_made(self, snapshotter: Snapshotter) -> None:
        before = time.time_ns()
        make_family(snapshotter)
        after = time.time_ns()
        for name, (kind, parent) in FAMILY.items():
            found = snapshotter.stat(name)
            assert (found.kind, found.name, found.parent) == (kind, name, parent)
            assert before <= found.created_at == found.updated_at <= after
        assert {info.name: (info.kind, info.parent) for info in snapshotter.walk()} == FAMILY

    def test_labels_are_those_given(self, snapshotter: Snapshotter) -> None:
        given = {"plain": "1", labels.SNAPSHOT_PREFIX + "a": "2", labels.GC_ROOT: "now", "example.com/b": "3"}
        snapshotter.prepare("key", labels=given)
        assert self._labels(snapshotter.stat("key")) == given
        snapshotter.commit("name", "key", {"other": "4"})
        assert self._labels(snapshotter.stat("name")) == {"other": "4"}
        snapshotter.view("view", "name", given)
        snapshotter.prepare("child", "name")
        walked = {info.name: self._labels(info) for info in snapshotter.walk()}
        assert walked == {"name": {"other": "4"}, "view": given, "child": {}}

    def _labels(self, info: Info) -> Mapping[str, str]:
        return {key: value for key, value in info.labels.items() if key not in self.own_labels}

    @pytest.mark.parametrize("name", FAMILY)
    def test_update_of_every_kind(self, snapshotter: Snapshotter, name: str) -> None:
        make_family(snapshotter)
        made = snapshotter.stat(name)

        def update(wanted: Mapping[str, str], *paths: str) -> Mapping[str, str]:
            before = time.time_ns()
            changed = snapshotter.update(Info(made.kind, name, "doesnotexist", wanted), paths)
            assert before <= changed.updated_at <= time.time_ns()
            assert (changed.kind, changed.name, changed.parent) == (made.kind, name, made.parent)
            assert changed.created_at == made.created_at
            assert changed == snapshotter.stat(name)
            return self._labels(changed)

        root = {labels.GC_ROOT: "2026-01-01T00:00:00Z"}
        assert update({"l1": "v1", "l2": "v2", "l3": "v3"} | root) == {"l1": "v1", "l2": "v2", "l3": "v3"} | root
        changed = update({"l1": "updated", "l4": "v4"}, "labels.l1", "labels.l2")
        assert changed == {"l1": "updated", "l3": "v3"} | root
        assert update({"l4": "v4"} | root, "labels") == {"l4": "v4"} | root
        for path in ("parent", "kind", "created_at"):
            with pytest.raises(errors.InvalidArgument):
                update({}, path)
        assert self._labels(snapshotter.stat(name)) == {"l4": "v4"} | root

    def test_parents_chain(self, snapshotter: Snapshotter) -> None:
        parent = ""
        for name in ("a", "b", "c"):
            snapshotter.prepare(f"{name}-key", parent)
            snapshotter.commit(name, f"{name}-key")
            assert snapshotter.stat(name).parent == parent
            parent = name
        assert snapshotter.stat(snapshotter.stat("b").parent).parent == ""

    @pytest.mark.parametrize("first", ["prepare", "view"])
    @pytest.mark.parametrize("second", ["prepare", "view"])
    def test_key_is_taken_once(self, snapshotter: Snapshotter, first: str, second: str) -> None:
        snapshotter.prepare("base-key")
        snapshotter.commit("base", "base-key")
        getattr(snapshotter, first)("key", "base")
        with pytest.raises(errors.AlreadyExists):
            getattr(snapshotter, second)("key", "base")
        with pytest.raises(errors.AlreadyExists):
            getattr(snapshotter, second)("base", "base")

    def test_parent_must_be_committed(self, snapshotter: Snapshotter) -> None:
        snapshotter.prepare("active")
        for make in (snapshotter.prepare, snapshotter.view):
            with pytest.raises(errors.InvalidArgument):
                make("key", "active")
            with pytest.raises(errors.NotFound):
                make("key", "nobody")
        assert [info.name for info in snapshotter.walk()] == ["active"]

    def test_commit_refuses(self, snapshotter: Snapshotter) -> None:
        snapshotter.prepare("base-key")
        snapshotter.commit("base", "base-key")
        snapshotter.view("view", "base")
        snapshotter.prepare("active")
        for key in ("view", "base"):
            with pytest.raises(errors.FailedPrecondition):
                snapshotter.commit("new", key)
        with pytest.raises(errors.NotFound):
            snapshotter.commit("new", "nobody")
        for name in ("base", "view"):
            with pytest.raises(errors.AlreadyExists):
                snapshotter.commit(name, "active")
        assert snapshotter.stat("active").kind is Kind.ACTIVE

    def test_mounts_are_for_active_ones_and_views(self, snapshotter: Snapshotter) -> None:
        snapshotter.prepare("key")
        snapshotter.commit("name", "key")
        with pytest.raises(errors.FailedPrecondition):
            snapshotter.mounts("name")
        with pytest.raises(errors.NotFound):
            snapshotter.mounts("key")

    def test_unknown_keys_are_not_found(self, snapshotter: Snapshotter) -> None:
        for call in (snapshotter.stat, snapshotter.usage, snapshotter.mounts, snapshotter.remove):
            with pytest.raises(errors.NotFound):
                call("nobody")
        with pytest.raises(errors.NotFound):
            snapshotter.update(Info(Kind.ACTIVE, "nobody"))

    def test_update_changes_labels_only(self, snapshotter: Snapshotter) -> None:
        snapshotter.prepare("key", labels={labels.SNAPSHOT_PREFIX + "a": "1"})
        before = snapshotter.stat("key")
        wanted = {labels.SNAPSHOT_PREFIX + "b": "2"}
        changed = snapshotter.update(Info(Kind.COMMITTED, "key", parent="x", labels=wanted))
        assert (changed.kind, changed.parent, changed.created_at) == (Kind.ACTIVE, "", before.created_at)
        assert changed.updated_at >= before.updated_at
        assert labels.SNAPSHOT_PREFIX + "a" not in changed.labels
        wanted = {labels.SNAPSHOT_PREFIX + "c": "3"}
        field = f"labels.{labels.SNAPSHOT_PREFIX}c"
        snapshotter.update(Info(Kind.ACTIVE, "key", labels=wanted), [field])
        found = snapshotter.stat("key").labels
        assert found[labels.SNAPSHOT_PREFIX + "b"] == "2"
        assert found[labels.SNAPSHOT_PREFIX + "c"] == "3"
        snapshotter.update(Info(Kind.ACTIVE, "key"), [field])
        assert labels.SNAPSHOT_PREFIX + "c" not in snapshotter.stat("key").labels
        with pytest.raises(errors.InvalidArgument):
            snapshotter.update(Info(Kind.ACTIVE, "key", parent="x"), ["parent"])

    def test_removed_key_is_free_again(self, snapshotter: Snapshotter) -> None:
        for make in (snapshotter.prepare, snapshotter.view, snapshotter.prepare):
            make("key")
            snapshotter.remove("key")
        for _ in range(2):
            snapshotter.prepare("key")
            snapshotter.commit("name", "key")
            snapshotter.remove("name")
        assert list(snapshotter.walk()) == []

    def test_removed_names_are_free_for_every_kind(self, snapshotter: Snapshotter) -> None:
        snapshotter.prepare("key")
        snapshotter.commit("name", "key")
        for make in (snapshotter.prepare, snapshotter.view):
            make("reused", "name")
            snapshotter.remove("reused")
        snapshotter.prepare("reused")
        snapshotter.remove("name")
        snapshotter.commit("name", "reused")
        assert [(info.name, info.kind, info.parent) for info in snapshotter.walk()] == [("name", Kind.COMMITTED, "")]

    def test_remove_goes_from_the_top(self, snapshotter: Snapshotter) -> None:
        parent = ""
        for name in ("a", "b"):
            snapshotter.prepare(f"{name}-key", parent)
            snapshotter.commit(name, f"{name}-key")
            parent = name
        snapshotter.view("view", "b")
        for name in ("a", "b"):
            with pytest.raises(errors.FailedPrecondition, match="remove"):
                snapshotter.remove(name)
        for name in ("view", "b", "a"):
            snapshotter.remove(name)
        assert list(snapshotter.walk()) == []

    def test_every_kind_is_told_while_walking(self, snapshotter: Snapshotter) -> None:
        make_family(snapshotter)
        told = {info.name: snapshotter.stat(info.name) == info for info in snapshotter.walk()}
        assert told == dict.fromkeys(FAMILY, True)

    def test_walk_is_ordered_and_other_calls_are_allowed_meanwhile(self, snapshotter: Snapshotter) -> None:
        for name in ("c", "a", "b"):
            snapshotter.prepare(f"{name}-key")
            snapshotter.commit(name, f"{name}-key")
        walked = []
        for info in snapshotter.walk():
            assert snapshotter.stat(info.name) == info
            snapshotter.prepare(f"on {info.name}", info.name)
            snapshotter.remove(f"on {info.name}")
            walked.append(info.name)
        assert walked == ["a", "b", "c"]

    def test_close_twice(self, snapshotter: Snapshotter) -> None:
        snapshotter.prepare("key")
        snapshotter.commit("name", "key")
        snapshotter.remove("name")
        snapshotter.close()
        snapshotter.close()

    def test_threads(self, snapshotter: Snapshotter) -> None:
        snapshotter.prepare("base-key")
        snapshotter.commit("base", "base-key")
        failed: list[BaseException] = []

        def live(number: int) -> None:
            try:
                for round in range(3):
                    key = f"{number}/{round}"
                    snapshotter.prepare(key, "base")
                    snapshotter.commit(f"{key} done", key)
                    if isinstance(snapshotter, Cleaner):
                        snapshotter.cleanup()
                    snapshotter.view(f"{key} view", f"{key} done")
                    snapshotter.remove(f"{key} view")
                    snapshotter.remove(f"{key} done")
            except BaseException as error:  # noqa: BLE001  # told by the main thread
                failed.append(error)

        threads = [threading.Thread(target=live, args=(number,)) for number in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert failed == []
        assert [info.name for info in snapshotter.walk()] == ["base"]

    def test_one_of_many_wins_a_key(self, snapshotter: Snapshotter) -> None:
        won, lost = [], []

        def race() -> None:
            try:
                won.append(snapshotter.prepare("key"))
            except errors.AlreadyExists:
                lost.append(True)

        threads = [threading.Thread(target=race) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert (len(won), len(lost)) == (1, 7)
        assert snapshotter.mounts("key") == won[0]


class Filtering(Protocol):
    """A snapshotter whose list may be asked for in part."""

    def matching(self, filters: Sequence[str]) -> list[Info]:
        """Those that one of the filters fits."""


SELECTIONS = {
    "label": ([f'labels."{labels.GC_ROOT}"==walk'], "a a-np a-np-wl a-wl p p-wl v v-wl"),
    "active": ([f'kind==active,labels."{labels.GC_ROOT}"==walk'], "a a-np a-np-wl a-wl"),
    "view": ([f'kind==view,labels."{labels.GC_ROOT}"==walk'], "v v-wl"),
    "committed": ([f'kind==committed,labels."{labels.GC_ROOT}"==walk'], "p p-wl"),
    "either name": (["name==p", "name==a-np-wl"], "a-np-wl p"),
    "name and label": (["name==a-wl,labels.l"], "a-wl"),
    "name without the label": (["name==a,labels.l"], ""),
    "parent": (["parent==p"], "a v"),
    "any parent": ([f'parent!="",labels."{labels.GC_ROOT}"==walk'], "a a-wl v v-wl"),
    "any value of a label": (["labels.l"], "a-np-wl a-wl p-wl v-wl"),
    "value of a label": (["labels.l==2"], "a-np-wl a-wl"),
    "part of a name": (["name~=^a-"], "a-np a-np-wl a-wl"),
    "none": ([], "a a-np a-np-wl a-wl p p-wl v v-wl"),
}
"""Filters, and the names that fit."""


class FilterSuite:
    """Provide a fixture ``snapshotter``, and ``filtering``, which lists its snapshots."""

    @pytest.mark.parametrize("selection", SELECTIONS)
    def test_filters(self, snapshotter: Snapshotter, filtering: Filtering, selection: str) -> None:
        root = {labels.GC_ROOT: "walk"}
        snapshotter.prepare("a-np", labels=root)
        for parent, mark in (("p", {}), ("p-wl", {"l": "1"})):
            snapshotter.prepare(f"{parent}-key")
            snapshotter.commit(parent, f"{parent}-key", root | mark)
        snapshotter.prepare("a", "p", root)
        snapshotter.view("v", "p", root)
        snapshotter.prepare("a-wl", "p-wl", root | {"l": "2"})
        snapshotter.view("v-wl", "p-wl", root | {"l": "3"})
        snapshotter.prepare("a-np-wl", labels=root | {"l": "2"})
        filters, wanted = SELECTIONS[selection]
        assert sorted(info.name for info in filtering.matching(filters)) == wanted.split()

    def test_filter_that_is_none_is_refused(self, filtering: Filtering) -> None:
        with pytest.raises(errors.InvalidArgument):
            filtering.matching(["name=="])
