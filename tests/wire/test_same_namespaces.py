"""Namespaces: what both daemons answer, call by call."""

from __future__ import annotations

from typing import Any

import pytest

LONG = "k" * 4096


def test_life(same: Any) -> None:
    async def play(say: Any) -> None:
        name = f"{say.namespace}-made"
        for note, labels in (("first", {"a": "1", "b": ""}), ("again", {})):
            await say("namespaces", "Create", note, namespace={"name": name, "labels": labels}, ns=name)
        await say("namespaces", "Get", "made", name=name)
        await say("namespaces", "Update", "one", ns=name, namespace={"name": name, "labels": {"c": "3", "d": "4"}},
                  update_mask={"paths": ["labels.c"]})  # fmt: skip
        await say("namespaces", "Update", "delete one", ns=name, namespace={"name": name, "labels": {"c": ""}},
                  update_mask={"paths": ["labels.c", "labels.none"]})  # fmt: skip
        await say("namespaces", "Get", "one", name=name)
        await say("namespaces", "Update", "all", ns=name, namespace={"name": name, "labels": {"x.y/z": "é"}})
        await say("namespaces", "Get", "all", name=name)
        await say("namespaces", "Update", "none left", ns=name, namespace={"name": name})
        await say("namespaces", "Get", "none left", name=name)
        await say("namespaces", "Delete", "made", name=name, ns=name)
        await say("namespaces", "Delete", "again", name=name, ns=name)
        await say("namespaces", "Get", "gone", name=name)

    same(play)


@pytest.mark.parametrize(
    "name", ["", "../x", "a/b", "-a", "a-", "a..b", "A.b_c-d9", "x" * 76, "x" * 77, "é", "a b", "a\x00b"]
)
def test_names(same: Any, name: str) -> None:
    async def play(say: Any) -> None:
        own = say.namespace
        await say("namespaces", "Create", namespace={"name": name}, ns=own)
        await say("namespaces", "Get", name=name)
        await say("namespaces", "Update", namespace={"name": name, "labels": {"a": "b"}}, ns=own)
        await say("namespaces", "Delete", name=name, ns=own)
        await say("images", "Get", "in it", name="x", ns=name) if name.isascii() and "\x00" not in name else None

    same(play, since=(2, 0))


def test_mistakes(same: Any) -> None:
    async def play(say: Any) -> None:
        own = say.namespace
        await say("namespaces", "Create", "long label", namespace={"name": "long", "labels": {"k": LONG}})
        await say("namespaces", "Create", "longest label", namespace={"name": f"{own}-fits", "labels": {"k": LONG[1:]}})
        await say("namespaces", "Delete", "fits", name=f"{own}-fits")
        await say("namespaces", "Update", "unknown", namespace={"name": f"{own}-new", "labels": {"a": "b"}})
        await say("namespaces", "Get", "updated into being", name=f"{own}-new")
        for path in ("labels", "name", "labels.", "labelsx", ""):
            await say("namespaces", "Update", path, namespace={"name": own, "labels": {"": "v", "a": "b"}},
                      update_mask={"paths": [path]})  # fmt: skip
        await say("namespaces", "Update", "long", namespace={"name": own, "labels": {"k": LONG}})
        await say("namespaces", "Delete", "new", name=f"{own}-new")
        await say("namespaces", "Delete", "nobody", name="nobody")

    same(play)


def test_what_is_in_it_keeps_it(same: Any) -> None:
    async def play(say: Any) -> None:
        own = f"{say.namespace}-kept"
        target = {"media_type": "m", "digest": "sha256:" + "0" * 64, "size": 1}
        await say("leases", "Create", "scene", id="scene", ns=own, lease="")
        await say("images", "Create", image={"name": "i", "target": target}, ns=own)
        await say("namespaces", "Create", "exists by the image", namespace={"name": own})
        await say("snapshots", "Prepare", snapshotter="native", key="k", ns=own)
        await say("namespaces", "Delete", "image, snapshot", name=own, ns=own)
        await say("images", "Delete", name="i", ns=own)
        await say("namespaces", "Delete", "snapshot", name=own, ns=own)
        await say("snapshots", "Remove", snapshotter="native", key="k", ns=own)
        await say("namespaces", "Delete", "nothing but a lease", name=own, ns=own)

    same(play)
