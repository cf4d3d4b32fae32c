"""Layers: what both daemons answer, call by call."""

from __future__ import annotations

import gzip
import io
import tarfile
from typing import Any

import pytest

from moorage_api.messages import content
from moorage_sdk import digests

LAYER = "application/vnd.oci.image.layer.v1.tar"
NOTHING = "sha256:" + "0" * 64


def archive() -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        entry = tarfile.TarInfo("file")
        entry.size = 3
        tar.addfile(entry, io.BytesIO(b"abc"))
    return made.getvalue()


async def store(say: Any, data: bytes) -> dict[str, Any]:
    digest = digests.of(data)
    first = content.WriteContentRequest(action=content.WRITE, ref=digest, data=data)
    last = content.WriteContentRequest(action=content.COMMIT, offset=len(data), expected=digest)
    await say.talk("content", "Write", digest[7:11], first, last)
    return {"digest": digest, "size": len(data)}


async def prepared(say: Any, key: str) -> list[dict[str, Any]]:
    got = await say("snapshots", "Prepare", key, snapshotter="native", key=key)
    return [{"type": each.type, "source": each.source, "options": list(each.options)} for each in got.mounts]


@pytest.mark.parametrize("kind", ["", "+gzip"])
def test_layers_are_applied(same: Any, kind: str) -> None:
    async def play(say: Any) -> None:
        data = archive()
        layer = await store(say, gzip.compress(data, mtime=0) if kind else data)
        mounts = await prepared(say, "k")
        await say("diff", "Apply", "layer", diff={**layer, "media_type": LAYER + kind}, mounts=mounts)
        await say("diff", "Apply", "twice", diff={**layer, "media_type": LAYER + kind}, mounts=mounts)
        await say("snapshots", "Commit", key="k", name="n", snapshotter="native")

    same(play)


def test_mistakes(same: Any) -> None:
    async def play(say: Any) -> None:
        layer = await store(say, archive())
        noise = await store(say, b"this is no archive")
        mounts = await prepared(say, "k")
        await say("diff", "Apply", "unknown", diff={"digest": NOTHING, "size": 1, "media_type": LAYER}, mounts=mounts)
        await say("diff", "Apply", "no digest", diff={"size": 1, "media_type": LAYER}, mounts=mounts)
        await say("diff", "Apply", "no digest at all", diff={"digest": "x", "media_type": LAYER}, mounts=mounts)
        await say("diff", "Apply", "unknown type", diff={**layer, "media_type": "application/x-unknown"}, mounts=mounts)
        await say("diff", "Apply", "no type", diff={**layer, "media_type": ""}, mounts=mounts)
        await say("diff", "Apply", "no gzip", diff={**noise, "media_type": LAYER + "+gzip"}, mounts=mounts)
        wrong = [{"type": "nonsense", "source": "x"}]
        await say("diff", "Apply", "no such mount", diff={**layer, "media_type": LAYER}, mounts=wrong)
        for namespace in ("", "a/b"):
            diff = {**layer, "media_type": LAYER}
            await say("diff", "Apply", f"in {namespace}", diff=diff, mounts=mounts, ns=namespace)
        await say("diff", "Diff", "no such mount", left=mounts, right=wrong)
        await say("diff", "Diff", "unknown type", left=mounts, right=mounts, media_type="application/x-unknown")
        await say("diff", "Diff", "no namespace", left=mounts, right=mounts, ns="")

    same(play)


def test_what_was_written_becomes_a_layer(same: Any) -> None:
    async def play(say: Any) -> None:
        say.passed_over.append("/content/")  # Go's gzip makes other bytes than zlib
        lower = await prepared(say, "lower")
        for note, fields in [("nothing", {}), ("labelled", {"labels": {"a": "1"}, "ref": "r"}),
                             ("plain", {"media_type": LAYER}), ("gzip", {"media_type": LAYER + "+gzip"})]:  # fmt: skip
            got = await say.client.ask("diff", "Diff", {"left": lower, "right": lower, **fields},
            namespace=say.namespace,
                                       lease="scene")  # fmt: skip
            say.transcript.said(f"Diff({note})", media_type=got.diff.media_type, annotations=str(got.diff.annotations))
            digest = got.diff.digest
            info = await say.client.ask("content", "Info", {"digest": digest}, namespace=say.namespace)
            say.transcript.said(f"Info({note})", labels=str(sorted(info.info.labels)))

    same(play)
