"""Events: what both daemons take and tell, call by call."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from moorage_api.messages import events

EVENT = {
    "type_url": "containerd.events.TaskStart",
    "value": events.TaskStart(container_id="c", pid=3).SerializeToString(),
}
AT = {"seconds": 1_700_000_000, "nanos": 5}


@pytest.mark.parametrize("topic", ["/a", "/a/b", "a", "", "/", "//a", "/a/", "/a b", "/a//b", "/é", "/" + "x" * 77,
                                   "/a.b-c_d",
                                   "/-a", "/" + "x" * 76 + "/y"])  # fmt: skip
def test_topics(same: Any, topic: str) -> None:
    async def play(say: Any) -> None:
        await say("events", "Publish", topic=topic, event=EVENT)
        envelope = {"topic": topic, "namespace": say.namespace, "timestamp": AT, "event": EVENT}
        await say("events", "Forward", envelope=envelope)

    same(play)


def test_mistakes(same: Any) -> None:
    async def play(say: Any) -> None:
        whole = {"topic": "/a", "namespace": say.namespace, "timestamp": AT, "event": EVENT}
        await say("events", "Publish", "in no namespace", topic="/a", event=EVENT, ns="")
        await say("events", "Publish", "in a bad one", topic="/a", event=EVENT, ns="a/b")
        if say.knows(2):  # containerd 1 does not survive an event that is none
            await say("events", "Publish", "no event", topic="/a")
        await say("events", "Publish", "no type", topic="/a", event={"value": b"x"})
        await say("events", "Publish", "unknown type", topic="/a", event={"type_url": "unknown", "value": b"\xff"})
        await say("events", "Publish", "not of its type", topic="/a", event={**EVENT, "value": b"\xff"})
        await say("events", "Publish", "prefixed type", topic="/a",
                  event={**EVENT, "type_url": "types.containerd.io/" + EVENT["type_url"]})  # fmt: skip
        await say("events", "Forward", "whole", envelope=whole)
        await say("events", "Forward", "in no namespace", envelope=whole, ns="")
        for missing in ("topic", "namespace", *["event"] * say.knows(2)):
            await say("events", "Forward", f"no {missing}",
                      envelope={key: value for key, value in whole.items() if key != missing})  # fmt: skip
        await say("events", "Forward", "bad namespace", envelope={**whole, "namespace": "a/b"})
        await say("events", "Forward", "other namespace", envelope={**whole, "namespace": f"{say.namespace}-other"})

    same(play)


def test_forwarding_without_a_time(same: Any) -> None:
    async def play(say: Any) -> None:
        await say("events", "Forward", envelope={"topic": "/a", "namespace": say.namespace, "event": EVENT})

    same(play)


FILTERS = [
    [], [""], ["topic==/x/one"], ['topic=="/x/one"'], ["topic~=^/x"], ["topic~=one$", "topic~=two$"], ["topic"],
    ["topic!=/x/one"],
    ["namespace==none"], ["namespace"], ["event.container_id==c"], ["event.container_id"], ["event.pid==3"],
    ["event.none==x"],
    ["event"], ["event.container_id!=c"], ["topic~=x,event.container_id==c"], ["nofield==x"], ["nofield!=x"],
    ["timestamp"],
    ["event.name==n"], ["event.labels.l==1"], ["event.id==c"], ["event.runtime.name==r"], ["event.image==i"],
    ["event.key==k"],
]  # fmt: skip


@pytest.mark.parametrize("filters", FILTERS, ids=" ".join)
def test_filters(same: Any, filters: list[str]) -> None:
    """Each scene hears what its filters let through, up to the event that it is to end with."""

    async def play(say: Any) -> None:
        stub = say.client.stub("events")
        # What ends the scene gets through under any filter, for they are alternatives.
        request = stub.service.methods["Subscribe"].request(
            filters=[*filters, 'topic=="/scene/end"'] if filters else []
        )
        heard: list[Any] = []

        async def listen() -> None:
            async for envelope in stub.receive("Subscribe", request):
                heard.append(envelope)

        listening = asyncio.create_task(listen())
        try:
            async with asyncio.timeout(20):
                while not heard and not listening.done():
                    await say.client.ask(
                        "events", "Publish", {"topic": "/scene/end", "event": EVENT}, namespace=say.namespace
                    )
                    await asyncio.sleep(0.02)
                await say("events", "Publish", "one", topic="/x/one", event=EVENT)
                await say("events", "Publish", "two", topic="/x/two", event={"type_url": "unknown"})
                target = {"media_type": "m", "digest": "sha256:" + "0" * 64, "size": 1}
                await say("images", "Create", image={"name": "n", "labels": {"l": "1"}, "target": target})
                container = {"id": "c", "image": "i", "runtime": {"name": "r"}, "spec": {"type_url": "t"}}
                await say("containers", "Create", container=container)
                await say("snapshots", "Prepare", snapshotter="native", key="k")
                await say("events", "Publish", "last", topic="/scene/end", event={**EVENT, "type_url": "last"})
                while not listening.done() and heard[-1].event.type_url != "last":
                    await asyncio.sleep(0.01)
        finally:
            listening.cancel()
            (ended,) = await asyncio.gather(listening, return_exceptions=True)
        if not isinstance(ended, asyncio.CancelledError):
            say.transcript.refused("Subscribe()", ended)
        for envelope in heard:
            if envelope.topic != "/scene/end" and envelope.namespace == say.namespace:
                envelope.timestamp.CopyFrom(Timestamp())
                say.transcript.noted(f"heard {envelope.topic}", envelope)

    same(play)


@pytest.mark.parametrize("filter", ["topic==", "==", "topic=x", "topic~=(", 'topic=="', "topic==/x,"])
def test_bad_filters(same: Any, filter: str) -> None:
    async def play(say: Any) -> None:
        """A subscription that stands says nothing; one that is refused ends."""
        stub = say.client.stub("events")
        request = stub.service.methods["Subscribe"].request(filters=[filter])
        try:
            async with asyncio.timeout(2):
                async for _ in stub.receive("Subscribe", request):
                    pass
            say.transcript.answered("Subscribe(ends)")
        except TimeoutError:
            say.transcript.answered("Subscribe(stands)")
        except Exception as error:
            say.transcript.refused("Subscribe()", error)

    same(play)
