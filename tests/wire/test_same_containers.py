"""Containers: what both daemons answer, call by call."""

from __future__ import annotations

from typing import Any

import pytest

SPEC = {"type_url": "types.containerd.io/opencontainers/runtime-spec/1/Spec", "value": b'{"ociVersion":"1.0.2"}'}
OPTIONS = {"type_url": "containerd.runc.v1.Options", "value": b"\x28\x01"}
EXTENSION = {"type_url": "x/y", "value": b"\x00\xff"}
RUNTIME = {"name": "io.containerd.runc.v2", "options": OPTIONS}
LONG = "k" * 4096


def container(id: str, **fields: Any) -> dict[str, Any]:
    return {"id": id, "runtime": RUNTIME, "spec": SPEC, **fields}


def test_life(same: Any) -> None:
    async def play(say: Any) -> None:
        whole = container("c", labels={"a": "1", "e": ""}, image="i:latest", extensions={"x.y": EXTENSION},
                          snapshotter="native", snapshot_key="s", sandbox="", created_at={"seconds": 1})  # fmt: skip
        await say("containers", "Create", "whole", container=whole)
        await say("containers", "Create", "again", container=container("c"))
        await say("containers", "Create", "second", container=container("B.b_c-1"))
        await say("containers", "Get", "whole", id="c")
        await say("containers", "List", "both")
        await say("containers", "ListStream", "both")
        for note, paths, fields in [
            ("labels", ["labels"], {"labels": {"b": "2"}}),
            ("one label", ["labels.c.d/e"], {"labels": {"c.d/e": "3", "f": "4"}}),
            ("drop one", ["labels.b"], {}),
            ("spec", ["spec"], {"spec": {"type_url": "t", "value": b"{}"}}),
            ("extensions", ["extensions"], {"extensions": {"k": EXTENSION, "l.m": EXTENSION}}),
            ("one extension", ["extensions.l.m"], {"extensions": {"l.m": {"type_url": "new"}}}),
            ("image", ["image"], {"image": "j"}),
            ("snapshot key", ["snapshotkey"], {"snapshot_key": "t"}),
            ("two", ["image", "labels.z"], {"image": "k", "labels": {"z": "1"}}),
        ]:
            await say("containers", "Update", note, container={"id": "c", **fields}, update_mask={"paths": paths})
        await say("containers", "Update", "all", container=container("c", snapshotter="native", image="all"))
        await say("containers", "Get", "all", id="c")
        await say("containers", "Delete", "first", id="c")
        await say("containers", "Delete", "again", id="c")
        await say("containers", "Delete", "second", id="B.b_c-1")
        await say("containers", "List", "none")
        await say("containers", "ListStream", "none")

    same(play)


@pytest.mark.parametrize("id", ["", "../x", "a/b", "-a", "a-", "a..b", "x" * 76, "x" * 77, "é", "a b", "a\x00b", "a\n"])
def test_ids(same: Any, id: str) -> None:
    async def play(say: Any) -> None:
        await say("containers", "Create", container=container(id))
        await say("containers", "Get", id=id)
        await say("containers", "Update", container=container(id, image="i"))
        await say("containers", "Delete", id=id)

    same(play)


def test_mistakes(same: Any) -> None:
    async def play(say: Any) -> None:
        await say("containers", "Create", "known", container=container("known", snapshotter="native", snapshot_key="k"))
        for number, wrong in enumerate([
            container("x", runtime={"name": ""}), container("x", snapshot_key="k"), container("x", snapshotter="s"),
            container("y", labels={"k": LONG}), container("y", labels={"": "v"}),
            container("y", extensions={"": EXTENSION}), container("w", spec={"type_url": "t"}),
            container("v", sandbox="nobody"), container("u", image="../x"),
            container("t", snapshotter="unknown", snapshot_key="k"),
        ]):  # fmt: skip
            await say("containers", "Create", f"wrong {number}", container=wrong)
        await say("containers", "List", "made all the same")
        await say("containers", "Get", "nothing")
        await say("containers", "Delete", "nothing")
        await say("containers", "Update", "unknown", container=container("unknown"))
        await say("containers", "Update", "masked", container=container("unknown"), update_mask={"paths": ["labels"]})
        for path in ("id", "runtime", "runtime.name", "snapshot_key", "snapshotter", "sandbox", "created_at", "",
                     "labels.", "extensions.", "Labels", "labelsx", "spec.value"):  # fmt: skip
            wrong = container("known", labels={"": "x"}, extensions={"": EXTENSION}, snapshotter="native")
            await say("containers", "Update", f"mask {path}", container=wrong, update_mask={"paths": [path]})
        for note, fields in [
            ("other snapshotter", {"snapshotter": "overlayfs"}), ("no snapshotter", {}),
            ("other runtime", {"runtime": {"name": "other"}, "snapshotter": "native"}),
            ("long", {"labels": {"k": LONG}, "snapshotter": "native"}),
            ("no key", {"labels": {"": "x"}, "snapshotter": "native"}),
            ("empty extension", {"extensions": {"": EXTENSION}, "snapshotter": "native"}),
            ("other options", {"runtime": {**RUNTIME, "options": {"type_url": "o"}}, "snapshotter": "native"}),
        ]:  # fmt: skip
            await say("containers", "Update", note, container=container("known", **fields))
        await say("containers", "Get", "in the end", id="known")

    same(play)


def test_without_a_spec(same: Any) -> None:
    async def play(say: Any) -> None:
        await say("containers", "Create", container={"id": "c", "runtime": RUNTIME})

    same(play)


@pytest.mark.parametrize("namespace", ["", "a/b"])
def test_namespaces(same: Any, namespace: str) -> None:
    async def play(say: Any) -> None:
        await say("containers", "Create", container=container("c"), ns=namespace)
        await say("containers", "Get", id="c", ns=namespace)
        await say("containers", "List", ns=namespace)
        await say("containers", "ListStream", ns=namespace)
        await say("containers", "Update", container=container("c"), ns=namespace)
        await say("containers", "Delete", id="c", ns=namespace)

    same(play)


FILTERS = [
    "", "id", "id==a", "id!=a", "id~=^[ab]$", "image==i", "image", "image~=i", "runtime.name==io.containerd.runc.v2",
    "runtime.name", "runtime", "runtime.options", "labels.l==1", "labels.l", "labels.none", "labels.none!=1",
    'labels."x.y/z"==2', "snapshotter==native", "snapshotkey==k", "spec", "extensions", "sandbox", "id==a,labels.l==1",
    "id==b,labels.l==1", "id==", "id=a", "labels.l~=^\\d$", "labels.l~=(", "createdat", "updatedat", "size", "name==a",
]  # fmt: skip


def test_filters(same: Any) -> None:
    async def play(say: Any) -> None:
        await say("containers", "Create", "a", container=container("a", image="i", labels={"l": "1", "x.y/z": "2"}))
        await say("containers", "Create", "b", container=container("b", snapshotter="native", snapshot_key="k"))
        for filter in FILTERS:
            await say("containers", "List", filter, filters=[filter])
            await say("containers", "ListStream", filter, filters=[filter])
        await say("containers", "List", "or", filters=["id==a", "id==b"])

    same(play)
