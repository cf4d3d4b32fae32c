"""Images: what both daemons answer, call by call."""

from __future__ import annotations

from typing import Any

import pytest

DIGEST = "sha256:" + "0" * 64
OTHER = "sha256:" + "1" * 64
TARGET = {"media_type": "application/vnd.oci.image.manifest.v1+json", "digest": DIGEST, "size": 5}
LONG = "k" * 4096


def image(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "target": TARGET, **fields}


def test_life(same: Any) -> None:
    async def play(say: Any) -> None:
        target = {**TARGET, "annotations": {"x": "1", "e": ""}}
        made = image(
            "i", target=target, labels={"a": "1", "e": ""}, created_at={"seconds": 5}, updated_at={"seconds": 6}
        )
        await say("images", "Create", "first", image=made)
        await say("images", "Create", "again", image=image("i", labels={"b": "2"}))
        await say("images", "Get", "first", name="i")
        await say("images", "Create", "second", image=image("docker.io/a/b:c@d"))
        await say("images", "List", "both")
        await say("images", "Update", "labels", image=image("i", labels={"b": "2"}), update_mask={"paths": ["labels"]})
        await say("images", "Update", "one", image=image("i", labels={"c.d/e": "3", "f": "4"}),
                  update_mask={"paths": ["labels.c.d/e"]})  # fmt: skip
        await say("images", "Update", "drop one", image=image("i"), update_mask={"paths": ["labels.b"]})
        await say("images", "Update", "annotation", image=image("i", target={**TARGET, "annotations": {"y": "2"}}),
                  update_mask={"paths": ["annotations.y"]})  # fmt: skip
        await say("images", "Update", "annotations", image=image("i", target={**TARGET, "annotations": {"z": "2"}}),
                  update_mask={"paths": ["annotations"]})  # fmt: skip
        await say("images", "Update", "target", image=image("i", target={**TARGET, "digest": OTHER}),
                  update_mask={"paths": ["target"]})  # fmt: skip
        await say("images", "Update", "all", image=image("i", labels={"n": "1"}))
        await say("images", "Get", "all", name="i")
        await say("images", "Delete", "first", name="i")
        await say("images", "Delete", "again", name="i")
        await say("images", "Delete", "sync", name="docker.io/a/b:c@d", sync=True)
        await say("images", "List", "none")

    same(play)


def test_mistakes(same: Any) -> None:
    async def play(say: Any) -> None:
        await say("images", "Create", "known", image=image("known"))
        for number, wrong in enumerate([
            {"name": "x", "target": {}}, image(""), image("x", target={**TARGET, "digest": ""}),
            image("x", target={**TARGET, "digest": "sha256:x"}), image("x", target={**TARGET, "digest": "nonsense"}),
            image("x", target={**TARGET, "digest": "md5:" + "0" * 32}), image("x", target={**TARGET, "size": 0}),
            image("x", target={**TARGET, "size": -1}), image("x", target={**TARGET, "media_type": ""}),
            image("x", labels={"k": LONG}), image("x", labels={LONG: "v"}), image("x", labels={"": "v"}),
            image("x" * 5000), image("../x"), image("é b"),
            image("x", target={**TARGET, "digest": "sha512:" + "0" * 128}),
        ]):  # fmt: skip
            await say("images", "Create", f"wrong {number}", image=wrong)
        await say("images", "Get", "nothing")
        await say("images", "Get", "unknown", name="unknown")
        await say("images", "Update", "unknown", image=image("unknown"))
        await say("images", "Update", "unknown, masked", image=image("unknown"), update_mask={"paths": ["labels"]})
        for path in ("name", "target.digest", "labels.", "annotations.", "created_at", "", "labelsx", "Labels"):
            await say("images", "Update", f"mask {path}", image=image("known", labels={"": "x"}),
                      update_mask={"paths": [path]})  # fmt: skip
        await say(
            "images", "Update", "long", image=image("known", labels={"k": LONG}), update_mask={"paths": ["labels"]}
        )
        await say("images", "Update", "bad target", image={"name": "known", "target": {"digest": "x"}},
                  update_mask={"paths": ["target"]})  # fmt: skip
        await say("images", "Get", "unchanged", name="known")
        await say("images", "Delete", "nothing")
        await say("images", "Delete", "unknown", name="unknown")
        await say("images", "Delete", "unknown, sync", name="unknown", sync=True)
        await say("images", "Delete", "known", name="known")

    same(play)


@pytest.mark.parametrize("namespace", ["", "a/b", "x" * 77, "-a"])
def test_namespaces(same: Any, namespace: str) -> None:
    async def play(say: Any) -> None:
        await say("images", "Create", image=image("i"), ns=namespace)
        await say("images", "Get", name="i", ns=namespace)
        await say("images", "List", ns=namespace)
        await say("images", "Update", image=image("i"), ns=namespace)
        await say("images", "Delete", name="i", ns=namespace)

    same(play)


def test_a_target_is_named_to_delete(same: Any) -> None:
    async def play(say: Any) -> None:
        await say("images", "Create", image=image("i"))
        await say("images", "Delete", "other", name="i", target={**TARGET, "digest": OTHER})
        await say("images", "Delete", "empty", name="i", target={})
        await say("images", "Create", "once more", image=image("i"))
        await say("images", "Delete", "same", name="i", target=TARGET)

    same(play, since=(2, 0))


def test_the_time_of_the_source(same: Any) -> None:
    async def play(say: Any) -> None:
        at = {"seconds": 1_000_000_000, "nanos": 5}
        await say("images", "Create", image=image("i"), source_date_epoch=at)
        await say("images", "Update", image=image("i", labels={"a": "b"}), source_date_epoch=at)
        await say("images", "Update", "now", image=image("i", labels={"a": "c"}))
        await say("images", "Get", name="i")

    same(play, since=(1, 7))


FILTERS = [
    "", "name", "name==a", "name!=a", "name==b,name==a", "name==a,labels.l", "name~=^[ab]$", "name~=/^a/",
    "name~=|b|", 'name=="a"', 'name=="\\x61"', 'name=="\\u0061"', "name=='a'", "name==`a`", 'name~="^a$"',
    "target.digest==" + DIGEST, 'target.digest=="' + DIGEST + '"', "target.mediatype~=oci", "target.size==5",
    "target", "target.digest", "labels.l==1", "labels.l!=1", "labels.l", "labels.none!=x", "labels.none~=^$",
    "labels.none", "labels", 'labels."x.y/z"==2', "labels.x.y/z==2", 'labels."x.y"', "labels.x.y/z", 'labels."l"==1',
    "annotations.n==1", "annotations.n", "nofield", "nofield==x", "nofield!=x", "name ==a", "name== a", " name==a ",
    "name==a ,name==a", "name==a,", ",name==a", "name=a", "name=", "name==", "==a", "name~a", "name~=", "name~=(",
    "name~=[", "name~=\\p{L}", "name~=(?i)^A$", "name~=\\d", "name~=(?P<x>a)", "name~=a{2,1}", "name~=(?=a)",
    "name~=\\1", "name~=^.$", "name~=\\Qa\\E", 'name=="a', 'name==a"', "name.", ".name", "name..x", '"name"==a',
    "name==a name==b", "name===a", "name!==a", "name!a", "name==/a/", "name==é", "é==a", "name~=/a", "name~=|a",
    'labels.""==x', "name==a\n", "name==a\tb", "*", "name==*", "name==docker.io/x:y@z", "name==a;b", "name==a$b",
    "labels.l==1|2", "name==A-b_c.d/e", "name==-a", "name==1", "1==1",
]  # fmt: skip


def test_filters(same: Any) -> None:
    async def play(say: Any) -> None:
        await say("images", "Create", image=image("a", labels={"l": "1", "x.y/z": "2"}))
        annotated = {**TARGET, "annotations": {"n": "1"}, "digest": OTHER}
        await say("images", "Create", "b", image=image("b", target=annotated))
        await say("images", "Create", "long", image=image("docker.io/x:y@z"))
        for filter in FILTERS:
            await say("images", "List", filter, filters=[filter])
        await say("images", "List", "or", filters=["name==a", "name==b"])
        await say("images", "List", "one bad", filters=["name==a", "name=="])
        await say("images", "List", "one empty", filters=["name==a", ""])

    same(play)
