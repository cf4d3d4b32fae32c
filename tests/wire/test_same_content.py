"""Content: what both daemons answer, call by call and message by message."""

from __future__ import annotations

from typing import Any

from moorage_api.messages import content
from moorage_sdk import digests, errors

LONG = "k" * 4096
NOTHING = "sha256:" + "0" * 64


def stat(**fields: Any) -> content.WriteContentRequest:
    return content.WriteContentRequest(action=content.STAT, **fields)


def write(data: bytes, **fields: Any) -> content.WriteContentRequest:
    return content.WriteContentRequest(action=content.WRITE, data=data, **fields)


def commit(**fields: Any) -> content.WriteContentRequest:
    return content.WriteContentRequest(action=content.COMMIT, **fields)


async def store(say: Any, data: bytes, **more: Any) -> str:
    digest = digests.of(data)
    await say.talk("content", "Write", digest[7:11], write(data, ref=f"store-{digest}"),
                   commit(offset=len(data), expected=digest, **more))  # fmt: skip
    return digest


def test_life(same: Any) -> None:
    async def play(say: Any) -> None:
        data = b"some content of a blob"
        digest = digests.of(data)
        await say.talk("content", "Write", "whole", stat(ref="r", total=len(data), expected=digest), write(data[:10]),
                       stat(), write(data[10:], offset=10), stat(), commit(offset=len(data), total=len(data),
                       expected=digest, labels={"a": "1", "e": ""}))  # fmt: skip
        await say("content", "Info", "whole", digest=digest)
        await say("content", "Status", "is over", ref="r")
        await say("content", "ListStatuses", "none")
        for note, fields in [
            ("whole", {}), ("part", {"offset": 5, "size": 3}), ("tail", {"offset": 20}), ("too much", {"size": 999}),
            ("nothing", {"offset": len(data)}), ("past the end", {"offset": len(data) + 1}),
            ("negative size", {"offset": 3, "size": -1}),
        ]:  # fmt: skip
            await say("content", "Read", note, digest=digest, **fields)
        await say.talk("content", "Write", "is there", stat(ref="r2", expected=digest))
        await say.talk("content", "Write", "turns out to be there", stat(ref="r3"), stat(expected=digest))
        await say("content", "ListStatuses", "none of these")
        await say("content", "Update", "labels", info={"digest": digest, "labels": {"b": "2"}},
                  update_mask={"paths": ["labels"]})  # fmt: skip
        await say("content", "Update", "one", info={"digest": digest, "labels": {"c.d/e": "3", "f": "4"}},
                  update_mask={"paths": ["labels.c.d/e"]})  # fmt: skip
        await say("content", "Update", "drop", info={"digest": digest}, update_mask={"paths": ["labels.b"]})
        await say("content", "Update", "all", info={"digest": digest, "labels": {"g": "5", "h": ""}})
        await say("content", "Info", "updated", digest=digest)
        await say("content", "List", "one")
        await say("content", "Delete", "first", digest=digest)
        await say("content", "Info", "gone", digest=digest)
        await say("content", "Read", "gone", digest=digest)
        await say("content", "Delete", "again", digest=digest)
        await say("content", "List", "none")

    same(play)


def test_writing(same: Any) -> None:
    async def play(say: Any) -> None:
        talk = say.talk
        abc = digests.of(b"abc")
        await talk("content", "Write", "no reference", stat())
        await talk("content", "Write", "data without a reference", write(b"abc"))
        await talk("content", "Write", "an odd reference", stat(ref="../x/é b"), write(b"abc"))
        await talk("content", "Write", "a long reference", stat(ref="x" * 1000))
        await talk("content", "Write", "too far", stat(ref="far"), write(b"abc", offset=7))
        await talk("content", "Write", "back", stat(ref="back"), write(b"abcdef"), write(b"XY", offset=3), stat())
        await talk("content", "Write", "from the start", stat(ref="zero"), write(b"abcdef"), write(b"abc"), stat())
        await talk(
            "content", "Write", "other size", stat(ref="size", total=9), write(b"abc"), commit(offset=3, total=9)
        )
        await talk(
            "content", "Write", "other digest", stat(ref="dig"), write(b"abc"), commit(offset=3, expected=NOTHING)
        )
        await talk("content", "Write", "commit at nothing", stat(ref="c0"), write(b"abc"), commit())
        await talk("content", "Write", "commit elsewhere", stat(ref="c7"), write(b"abc"), commit(offset=7))
        await talk("content", "Write", "long label", stat(ref="l"), write(b"lab"), commit(offset=3, labels={"k": LONG}))
        await talk("content", "Write", "no other action", stat(ref="a"), content.WriteContentRequest(action=9))
        await talk("content", "Write", "at once", commit(ref="empty"))
        await talk("content", "Write", "commit with data", commit(ref="all", data=b"abc", expected=abc))
        await talk("content", "Write", "without an expectation", write(b"free", ref="free"), commit(offset=4))
        await talk("content", "Write", "sha512", write(b"512", ref="512"),
                   commit(offset=3, expected="sha512:" + "0" * 128))  # fmt: skip
        await statuses(say, "what is left")
        await say("content", "List", "what there is")

    same(play)


def test_resuming(same: Any) -> None:
    async def play(say: Any) -> None:
        data = b"to be continued"
        await say.talk("content", "Write", "first", stat(ref="r", total=len(data)), write(data[:5]))
        await say("content", "Status", "between", ref="r")
        await statuses(say, "between")
        await say.talk("content", "Write", "second", stat(ref="r"), write(data[5:], offset=5),
                       commit(offset=len(data), expected=digests.of(data)))  # fmt: skip
        await say("content", "Status", "after", ref="r")
        await say.talk("content", "Write", "to abort", stat(ref="x"), write(b"abc"))
        await say("content", "Abort", "x", ref="x")
        await say("content", "Abort", "again", ref="x")
        await say("content", "Status", "aborted", ref="x")
        await say("content", "Abort", "nothing")
        await say("content", "Abort", "unknown", ref="unknown")
        await say("content", "Status", "nothing")

    same(play)


async def statuses(say: Any, note: str, *filters: str) -> None:
    """In the order of the references, for containerd's own is that of names of directories."""
    headers = {"namespace": say.namespace, "lease": "scene"}
    try:
        got = await say.client.ask("content", "ListStatuses", {"filters": filters}, **headers)
    except errors.Error as error:
        say.transcript.refused(f"ListStatuses({note})", error)
        return
    got.statuses.sort(key=lambda status: status.ref)
    for status in got.statuses:
        status.ClearField("updated_at")  # of a file, written at one moment or another
    say.transcript.answered(f"ListStatuses({note})", got)


def test_a_digest_that_is_none(same: Any) -> None:
    async def play(say: Any) -> None:
        for number, digest in enumerate(("nonsense", "sha256:0", "md5:" + "0" * 32)):
            await say.talk("content", "Write", digest, stat(ref=f"r{number}", expected=digest))

    same(play)


def test_another_total(same: Any) -> None:
    async def play(say: Any) -> None:
        await say.talk("content", "Write", "first", stat(ref="r", total=15), write(b"abc"))
        await say.talk("content", "Write", "another", stat(ref="r", total=3))

    same(play)


def test_sharing(same: Any) -> None:
    async def play(say: Any) -> None:
        other = f"{say.namespace}-other"
        await say("leases", "Create", id="scene", ns=other, lease="")
        digest = await store(say, b"shared")
        await say("content", "Info", "elsewhere", digest=digest, ns=other)
        await say("content", "Read", "elsewhere", digest=digest, ns=other)
        await say("content", "Delete", "elsewhere", digest=digest, ns=other)
        await say.talk("content", "Write", "no data needed", stat(ref="r", expected=digest, total=6),
                       commit(offset=6, expected=digest, labels={"o": "1"}), ns=other)  # fmt: skip
        await say("content", "Info", "now", digest=digest, ns=other)
        await say("leases", "ListResources", id="scene", ns=other)

    same(play)


def test_mistakes(same: Any) -> None:
    async def play(say: Any) -> None:
        digest = await store(say, b"known")
        for wrong in ("", "nonsense", "sha256:", "sha256:x", "sha256:" + "0" * 63, "sha256:" + "0" * 65,
        "md5:" + "0" * 32,
                      "sha256:" + "G" * 64, "sha512:" + "0" * 128, "sha256:../../x", "x:y", NOTHING):  # fmt: skip
            await say("content", "Info", wrong, digest=wrong)
            await say("content", "Read", wrong, digest=wrong)
            await say("content", "Delete", wrong, digest=wrong)
            await say("content", "Update", wrong, info={"digest": wrong, "labels": {"a": "b"}})
        for path in ("size", "digest", "created_at", "", "labels.", "Labels"):
            await say("content", "Update", f"mask {path}", info={"digest": digest, "labels": {"": "x"}},
                      update_mask={"paths": [path]})  # fmt: skip
        await say("content", "Update", "long", info={"digest": digest, "labels": {"k": LONG}})
        await say("content", "Read", "negative", digest=digest, offset=-1)
        for namespace in ("", "a/b"):
            await say("content", "Info", namespace, digest=digest, ns=namespace)
            await say("content", "Read", namespace, digest=digest, ns=namespace)
            await say("content", "List", namespace, ns=namespace)
            await say("content", "Delete", namespace, digest=digest, ns=namespace)
            await say("content", "Update", namespace, info={"digest": digest}, ns=namespace)
            await say("content", "Status", namespace, ref="r", ns=namespace)
            await say("content", "ListStatuses", namespace, ns=namespace)
            await say("content", "Abort", namespace, ref="r", ns=namespace)
            await say.talk("content", "Write", namespace, stat(ref="r"), ns=namespace)

    same(play)


FILTERS = [
    "", "digest", "digest==" + digests.of(b"a"), "digest~=^sha256", "digest!=x", "labels.l==1", "labels.l",
    "labels.l!=1",
    "labels.none", 'labels."x.y/z"==2', "labels.x.y/z", "size==1", "size", "size!=1", "size>0", "labels.l~=(",
    "nofield",
    "nofield!=x", "digest==", "ref==x",
]  # fmt: skip


def test_filters(same: Any) -> None:
    async def play(say: Any) -> None:
        await store(say, b"a", labels={"l": "1", "x.y/z": "2"})
        await store(say, b"bb")
        for filter in FILTERS:
            await say("content", "List", filter, filters=[filter])
        for ref in ("one", "two/x"):
            await say.talk("content", "Write", ref, stat(ref=ref), write(b"x"))
        for filter in ("", "ref==one", "ref~=^t", "ref", "ref!=one", "ref==", "one", "ref~=(", "offset==1", "labels.l"):
            await statuses(say, filter, filter)

    same(play)
