"""Leases: what both daemons answer, call by call."""

from __future__ import annotations

from typing import Any

import pytest

DIGEST = "sha256:" + "0" * 64
LONG = "k" * 4096


def test_life(same: Any) -> None:
    async def play(say: Any) -> None:
        await say("leases", "Create", "named", id="l", labels={"a": "1", "containerd.io/gc.flat": "", "e": ""})
        await say("leases", "Create", "again", id="l")
        await say("leases", "Create", "unnamed")
        await say("leases", "Create", "expired", id="expired", labels={"containerd.io/gc.expire": "bad"})
        await say("leases", "List", "all")
        for filter in ("id==l", "labels.a==1", "labels.a", "labels.e", "labels.none", "id~=^l", "id!=l", "labels.a!=1"):
            await say("leases", "List", filter, filters=[filter])
        await say("leases", "List", "or", filters=["id==l", "id==scene"])
        await say("leases", "List", "and", filters=["id==l,labels.a==2"])
        await say("leases", "Delete", "l", id="l")
        await say("leases", "Delete", "again", id="l")
        await say("leases", "Delete", "sync", id="expired", sync=True)
        await say("leases", "List", "rest", filters=["id~=^[a-z]"])

    same(play)


@pytest.mark.parametrize("id", ["", "../x", "a/b", "x" * 200, "é", "a b"])
def test_ids(same: Any, id: str) -> None:
    async def play(say: Any) -> None:
        await say("leases", "Create", id=id)
        await say("leases", "AddResource", id=id, resource={"id": DIGEST, "type": "content"})
        await say("leases", "ListResources", id=id)
        await say("leases", "DeleteResource", id=id, resource={"id": DIGEST, "type": "content"})
        await say("leases", "Delete", id=id)

    same(play)


def test_resources(same: Any) -> None:
    async def play(say: Any) -> None:
        await say("leases", "Create", id="l")
        for number, (kind, id) in enumerate([
            ("snapshots/native", "s"), ("ingests", "ref"), ("images", "name"), ("content", DIGEST),
            ("snapshots/other", "s"), ("content", DIGEST), ("content", "nonsense"), ("content", ""),
            ("content", "md5:" + "0" * 32), ("content", "sha256:0"), ("snapshots", "s"), ("snapshots/", "s"),
            ("snapshotter/native", "s"), ("snapshots/native/x", "s"), ("", "x"), ("other", "x"),
            ("images", ""), ("ingests", ""), ("snapshots/native", ""), ("content/x", DIGEST), ("Content", DIGEST),
        ]):  # fmt: skip
            if say.knows(1, 7) or kind != "images":
                await say("leases", "AddResource", f"{number} {kind}", id="l", resource={"id": id, "type": kind})
        await say("leases", "ListResources", "all", id="l")
        for kind, id in (("content", DIGEST), ("content", DIGEST), ("snapshots/native", "s"), ("images", "no"),
                         ("ingests", "ref"), ("other", "x"), ("content", "bad"), ("snapshots", "x")):  # fmt: skip
            if say.knows(1, 7) or kind != "images":
                await say("leases", "DeleteResource", f"{kind} {id}", id="l", resource={"id": id, "type": kind})
        await say("leases", "ListResources", "rest", id="l")
        await say("leases", "AddResource", "unknown", id="no", resource={"id": "x", "type": "content"})
        await say("leases", "DeleteResource", "unknown", id="no", resource={"id": DIGEST, "type": "content"})
        await say("leases", "ListResources", "unknown", id="no")

    same(play)


def test_mistakes(same: Any) -> None:
    async def play(say: Any) -> None:
        await say("leases", "Create", "long", id="l", labels={"k": LONG})
        await say("leases", "Create", "empty key", id="m", labels={"": "v"})
        for namespace in ("", "a/b"):
            for method in ("Create", "Delete", "List", "ListResources"):
                await say("leases", method, f"in {namespace}", ns=namespace)
        for filter in ("id==", "==", "id=x", "labels.", "labels.a=", 'id=="', "id~=(", "nofield==x", ",", "id==a,"):
            await say("leases", "List", filter, filters=[filter])

    same(play)


def test_a_lease_that_is_not_there(same: Any) -> None:
    async def play(say: Any) -> None:
        target = {"media_type": "m", "digest": DIGEST, "size": 1}
        no = {"lease": "nobody"}
        await say("snapshots", "Prepare", "x", snapshotter="native", key="x", **no)
        await say("snapshots", "View", "x", snapshotter="native", key="x", **no)
        await say("snapshots", "Stat", "x", snapshotter="native", key="x")
        await say("images", "Create", "x", image={"name": "x", "target": target}, **no)
        expiring = {"containerd.io/gc.expire": "2100-01-01T00:00:00Z"}
        if say.knows(1, 7):
            await say("images", "Create", "expiring", image={"name": "y", "target": target, "labels": expiring}, **no)
        await say("images", "List", **no)
        runtime = {"name": "r"}
        await say("containers", "Create", container={"id": "c", "runtime": runtime, "spec": {"type_url": "t"}}, **no)
        await say("leases", "Create", "by a lease", id="n", **no)

    same(play)
