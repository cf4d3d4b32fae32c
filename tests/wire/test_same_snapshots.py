"""Snapshots: what both daemons answer, call by call, for a snapshotter that copies and for one that stacks."""

from __future__ import annotations

from typing import Any

import pytest

LONG = "k" * 4096


@pytest.fixture(params=["native", "overlayfs"])
def snapshotter(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_life(same: Any, snapshotter: str) -> None:
    async def play(say: Any) -> None:
        async def do(method: str, note: str = "", **fields: Any) -> None:
            await say("snapshots", method, note, snapshotter=snapshotter, **fields)

        labels = {"a": "1", "e": "", "containerd.io/snapshot/x": "2"}
        await do("Prepare", "base", key="base", labels=labels)
        await do("Stat", "active", key="base")
        await do("Mounts", "active", key="base")
        await do("Usage", "active", key="base")
        await do("Commit", "layer", name="layer", key="base", labels={"b": "2"})
        await do("Stat", "active is gone", key="base")
        await do("Mounts", "active is gone", key="base")
        await do("Stat", "committed", key="layer")
        await do("Usage", "committed", key="layer")
        await do("Mounts", "committed", key="layer")
        await do("View", "of it", key="view", parent="layer")
        await do("Mounts", "view", key="view")
        await do("Stat", "view", key="view")
        await do("Prepare", "on it", key="top", parent="layer")
        await do("Mounts", "on it", key="top")
        await do("Commit", "second", name="second", key="top")
        await do("Prepare", "on both", key="third", parent="second")
        await do("View", "of nothing", key="empty")
        await do("List", "all")
        await do("Update", "labels", info={"name": "layer", "labels": {"c": "3", "e": ""}},
                 update_mask={"paths": ["labels"]})  # fmt: skip
        await do("Update", "one", info={"name": "layer", "labels": {"d.e/f": "4", "g": "5"}},
                 update_mask={"paths": ["labels.d.e/f"]})  # fmt: skip
        await do("Update", "all", info={"name": "view", "labels": {"h": "6"}})
        await do("Stat", "updated", key="layer")
        await do("Commit", "a view", name="never", key="view")
        await do("Commit", "a committed one", name="never", key="layer")
        await do("Remove", "with children", key="layer")
        await do("Prepare", "on an active one", key="x", parent="third")
        await do("View", "of an active one", key="x", parent="third")
        for key in ("third", "second", "view", "layer", "layer", "empty"):
            await do("Remove", key, key=key)
        await do("List", "none")

    same(play)


def test_mistakes(same: Any, snapshotter: str) -> None:
    async def play(say: Any) -> None:
        async def do(method: str, note: str = "", **fields: Any) -> None:
            await say("snapshots", method, note, **{"snapshotter": snapshotter, **fields})

        await do("Prepare", "known", key="known")
        await do("Prepare", "again", key="known")
        await do("View", "again", key="known")
        await do("Prepare", "other parent", key="known", parent="unknown")
        for method in ("Prepare", "View"):
            await do(method, "no key", key="")
            await do(method, "no parent", key="x", parent="unknown")
            await do(method, "long label", key="x", labels={"k": LONG})
            await do(method, "no label key", key="x2", labels={"": "v"})
            await do(method, "long name", key=f"{method}/x" * 200)
            await do(method, "odd name", key=f"../{method} é")
        for method in ("Mounts", "Stat", "Usage", "Remove"):
            await do(method, "no key", key="")
            await do(method, "unknown", key="unknown")
        await do("Commit", "nothing")
        await do("Commit", "no name", key="known")
        await do("Commit", "no key", name="x")
        await do("Commit", "unknown", name="x", key="unknown")
        await do("Commit", "long label", name="x", key="known", labels={"k": LONG})
        await do("Commit", "onto itself", name="known", key="known")
        await do("Stat", "still there", key="known")
        for path in ("name", "parent", "kind", "labels.", "", "Labels", "created_at"):
            await do(
                "Update", f"mask {path}", info={"name": "known", "labels": {"": "x"}}, update_mask={"paths": [path]}
            )
        await do("Update", "unknown", info={"name": "unknown"})
        await do("Update", "no name", info={"labels": {"a": "b"}})
        await do("Update", "long", info={"name": "known", "labels": {"k": LONG}})
        await do("Cleanup")
        for other in ("", "unknown", "../x"):
            for method in ("Prepare", "View", "Mounts", "Remove", "Stat", "Usage"):
                await do(method, f"in {other}", snapshotter=other, key="known")
            await do("Commit", f"in {other}", snapshotter=other, key="known", name="x")
            await do("Update", f"in {other}", snapshotter=other, info={"name": "known"})
            await do("List", f"in {other}", snapshotter=other)
            await do("Cleanup", f"in {other}", snapshotter=other)

    same(play)


@pytest.mark.parametrize("namespace", ["", "a/b"])
def test_namespaces(same: Any, namespace: str) -> None:
    async def play(say: Any) -> None:
        for method in ("Prepare", "View", "Mounts", "Remove", "Stat", "Usage"):
            await say("snapshots", method, snapshotter="native", key="k", ns=namespace)
        await say("snapshots", "Commit", snapshotter="native", name="n", key="k", ns=namespace)
        await say("snapshots", "Update", snapshotter="native", info={"name": "k"}, ns=namespace)
        await say("snapshots", "List", snapshotter="native", ns=namespace)

    same(play)


FILTERS = [
    "", "name", "name==layer", "name!=layer", "parent==layer", "parent", "parent!=layer", "kind==active", "kind==view",
    "kind==committed", "kind==Committed", "kind!=committed", "kind", "kind~=^[av]", "labels.l==1", "labels.l",
    "labels.none", 'labels."containerd.io/snapshot/x"==2', "labels.containerd.io/snapshot/x",
    "name==layer,kind==committed", "name==",
    "name~=(", "created", "nofield==x", "nofield!=x", "inodes==0",
]  # fmt: skip


def test_filters(same: Any) -> None:
    async def play(say: Any) -> None:
        native = {"snapshotter": "native"}
        await say("snapshots", "Prepare", "base", key="base", **native)
        labels = {"l": "1", "containerd.io/snapshot/x": "2"}
        await say("snapshots", "Commit", "layer", key="base", name="layer", labels=labels, **native)
        await say("snapshots", "Prepare", "active", key="active", parent="layer", **native)
        await say("snapshots", "View", "view", key="view", parent="layer", labels={"l": "2"}, **native)
        for filter in FILTERS:
            await say("snapshots", "List", filter, filters=[filter], **native)
        await say("snapshots", "List", "or", filters=["kind==view", "kind==active"], **native)

    same(play)


def test_what_stands_in_another_namespace_is_not_seen(same: Any) -> None:
    async def play(say: Any) -> None:
        other = f"{say.namespace}-other"
        await say("leases", "Create", id="scene", ns=other, lease="")
        await say("snapshots", "Prepare", "first", snapshotter="native", key="k")
        await say("snapshots", "Prepare", "same key", snapshotter="native", key="k", ns=other)
        await say("snapshots", "Commit", "first", snapshotter="native", key="k", name="n")
        await say("snapshots", "Stat", "other", snapshotter="native", key="n", ns=other)
        await say("snapshots", "Prepare", "other", snapshotter="native", key="x", parent="n", ns=other)
        await say("snapshots", "List", "other", snapshotter="native", ns=other)

    same(play)


def test_a_remote_snapshot_is_taken_over(same: Any) -> None:
    async def play(say: Any) -> None:
        native = {"snapshotter": "native"}
        await say("snapshots", "Prepare", "base", key="base", **native)
        await say("snapshots", "Commit", "target", key="base", name="target", **native)
        labels = {"containerd.io/snapshot.ref": "target"}
        await say("snapshots", "Prepare", "is there", key="extract", labels=labels, **native)
        await say("snapshots", "Stat", "target", key="target", **native)
        await say("snapshots", "Stat", "nothing prepared", key="extract", **native)
        labels = {"containerd.io/snapshot.ref": "unknown"}
        await say("snapshots", "Prepare", "is not there", key="extract", labels=labels, **native)
        await say("snapshots", "Stat", "prepared", key="extract", **native)
        await say("leases", "ListResources", id="scene")

    same(play)


def test_rebase(same: Any) -> None:
    async def play(say: Any) -> None:
        which = {"snapshotter": "overlayfs"}
        await say("snapshots", "Prepare", "base", key="base", **which)
        await say("snapshots", "Commit", "base", key="base", name="parent", **which)
        await say("snapshots", "Prepare", "loose", key="loose", **which)
        await say("snapshots", "Commit", "unknown", key="loose", name="child", parent="unknown", **which)
        await say("snapshots", "Commit", "rebased", key="loose", name="child", parent="parent", **which)
        await say("snapshots", "Stat", "child", key="child", **which)
        await say("snapshots", "Prepare", "has one", key="bound", parent="child", **which)
        await say("snapshots", "Commit", "same", key="bound", name="grandchild", parent="child", **which)
        await say("snapshots", "Prepare", "has another", key="other", parent="child", **which)
        await say("snapshots", "Commit", "another", key="other", name="x", parent="parent", **which)
        await say("snapshots", "List", "all", **which)

    same(play, since=(2, 2))


def test_rebase_of_a_copy(same: Any) -> None:
    async def play(say: Any) -> None:
        await say("snapshots", "Prepare", "base", key="base", snapshotter="native")
        await say("snapshots", "Commit", "base", key="base", name="parent", snapshotter="native")
        await say("snapshots", "Prepare", "loose", key="loose", snapshotter="native")
        await say("snapshots", "Commit", "rebased", key="loose", name="child", parent="parent", snapshotter="native")

    same(play, since=(2, 2))
