"""Transfers and streams: what both daemons answer to those who do not ask rightly, call by call."""

from __future__ import annotations

from typing import Any

from google.protobuf.any_pb2 import Any as Packed

from moorage_api.convert import typeurls
from moorage_api.messages import streaming, transfer_types

STORE = {"type_url": "containerd.types.transfer.ImageStore",
         "value": transfer_types.ImageStore(name="x").SerializeToString()}  # fmt: skip


def test_transfers(same: Any) -> None:
    async def play(say: Any) -> None:
        await say("transfer", "Transfer", "nothing")
        await say("transfer", "Transfer", "no destination", source=STORE)
        await say("transfer", "Transfer", "no source", destination=STORE)
        await say("transfer", "Transfer", "unknown type", source={"type_url": "unknown"}, destination=STORE)
        await say("transfer", "Transfer", "broken", source={**STORE, "value": b"\xff"}, destination=STORE)
        other = {"type_url": "containerd.types.Mount"}
        await say("transfer", "Transfer", "not of that kind", source=other, destination=STORE)
        await say("transfer", "Transfer", "tag of nothing", source=STORE, destination=STORE)
        for namespace in ("", "a/b"):
            await say("transfer", "Transfer", f"in {namespace}", source=STORE, destination=STORE, ns=namespace)
        target = {"media_type": "m", "digest": "sha256:" + "0" * 64, "size": 1}
        await say("images", "Create", image={"name": "x", "target": target, "labels": {"l": "1"}})
        new = {**STORE, "value": transfer_types.ImageStore(name="y").SerializeToString()}
        await say("transfer", "Transfer", "tag", source=STORE, destination=new)
        await say("transfer", "Transfer", "tag again", source=STORE, destination=new)
        await say("images", "Get", "tagged", name="y")

    same(play, since=(2, 0))


def test_streams(same: Any) -> None:
    async def play(say: Any) -> None:
        init = typeurls.pack(streaming.StreamInit(id="s"))
        for note, first, more in [
            ("opened", init, {}),
            ("no id", typeurls.pack(streaming.StreamInit()), {}),
            ("another type", Packed(type_url="unknown"), {}),
            ("broken", Packed(type_url=init.type_url, value=b"\xff"), {}),
            ("no namespace", init, {"ns": "", "lease": ""}),
        ]:
            await say.talk("streaming", "Stream", note, first, patience=1, **more)

    same(play, since=(2, 0))
