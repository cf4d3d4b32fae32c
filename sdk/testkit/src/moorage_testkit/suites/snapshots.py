"""What every snapshotter must do. After ``core/snapshots/testsuite`` of containerd v2.3, and what it leaves open."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence

import pytest

from moorage_sdk import errors, labels
from moorage_sdk.snapshots import Cleaner, Info, Kind, Snapshotter
from moorage_testkit.suites.stacks import StackSuite

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


class SnapshotSuite(StackSuite):
    """Provide a fixture ``snapshotter``. ``own_labels``: what the snapshotter itself tells of a snapshot."""

    own_labels: Sequence[str] = ()

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
