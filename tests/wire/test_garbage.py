"""Garbage collection: what is left of a small world after a synchronous collection, on both daemons.

Everything is made under one lease, which is then deleted with ``sync``. What is left is what the rules keep; a rule is
a row of ``RULES``. In labels ``@name`` stands for the digest of that blob.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from moorage_api.messages import content
from moorage_sdk import digests, errors

GC = "containerd.io/gc."
LEASE = "setup"
NATIVE = "native"
PAST, FUTURE = "2000-01-01T00:00:00Z", "2100-01-01T00:00:00Z"
MEDIA_TYPE = "application/vnd.oci.image.manifest.v1+json"
RECENT = (datetime.now(UTC) - timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")

Labels = Mapping[str, str]


@dataclass(frozen=True)
class World:
    """What there is, by name: labels of blobs; parent and labels of layers; target and labels of images; snapshot and
    labels of containers; what other leases hold, and their labels; references of ingests; labels of sandboxes."""

    blobs: Mapping[str, Labels]
    layers: Mapping[str, tuple[str, Labels]]
    images: Mapping[str, tuple[str, Labels]]
    containers: Mapping[str, tuple[str, Labels]]
    leases: Mapping[str, tuple[tuple[tuple[str, str], ...], Labels]]
    ingests: tuple[str, ...]
    sandboxes: Mapping[str, Labels]


def make(
    blobs: Mapping[str, Labels] | None = None,
    layers: Mapping[str, tuple[str, Labels]] | None = None,
    images: Mapping[str, tuple[str, Labels]] | None = None,
    containers: Mapping[str, tuple[str, Labels]] | None = None,
    leases: Mapping[str, tuple[tuple[tuple[str, str], ...], Labels]] | None = None,
    ingests: tuple[str, ...] = (),
    sandboxes: Mapping[str, Labels] | None = None,
) -> World:
    return World(blobs or {}, layers or {}, images or {}, containers or {}, leases or {}, ingests, sandboxes or {})


ROOT = {GC + "root": "1"}
ANY, NEW, NEWER, NEWEST = (1, 6), (2, 0), (2, 2), (2, 3)
"""Versions of containerd that brought a rule: references to images and their expiry and more, back
references, conditions."""

RULES: dict[str, tuple[tuple[int, ...], World, str]] = {
    "nothing keeps it": (ANY, make({"a": {}}, {"l": ("", {})}), ""),
    "root labels": (ANY, make({"a": ROOT, "b": {GC + "roo": "1"}}, {"l": ("", ROOT), "m": ("l", {})}), "a l"),
    "root labels are a matter of prefix": (
        NEW,
        make({"a": {GC + "root.x": "y"}, "b": {GC + "root/x": "y"}}, {"l": ("", {GC + "rootless": "1"})}),
        "a b l",
    ),
    "references to content": (
        ANY,
        make(
            {
                "r": ROOT
                | {
                    GC + "ref.content": "@a",
                    GC + "ref.content.l.0": "@b",
                    GC + "ref.content/x": "@c",
                    GC + "ref.content-x": "@d",
                    GC + "ref.contents": "@e",
                    GC + "ref.content.9": "sha256:gone",
                },
                "a": {GC + "ref.content.deep": "@f"},
                "b": {},
                "c": {},
                "d": {},
                "e": {},
                "f": {},
            }
        ),
        "a b c f r",
    ),
    "references to snapshots": (
        ANY,
        make(
            {
                "r": ROOT
                | {
                    GC + "ref.snapshot.native": "top",
                    GC + "ref.snapshot.native/x": "other",
                    GC + "ref.snapshot.overlayfs": "not",
                    GC + "ref.snapshot": "nor",
                }
            },
            {
                "base": ("", {}),
                "top": ("base", {GC + "ref.content": "@nowhere"}),
                "other": ("", {}),
                "not": ("", {}),
                "nor": ("", {}),
            },
        ),
        "r base other top",
    ),
    "references of snapshots": (
        ANY,
        make({"a": {}, "b": {}}, {"l": ("", ROOT | {GC + "ref.content": "@a"}), "m": ("", {GC + "ref.content": "@b"})}),
        "a l",
    ),
    "images keep their targets and what labels say": (
        ANY,
        make(
            {"t": {GC + "ref.content.0": "@u"}, "u": {}, "v": {}, "w": {}},
            images={"i": ("t", {GC + "ref.content.x": "@v"})},
        ),
        "t u v i",
    ),
    "containers keep their snapshots and what labels say": (
        ANY,
        make(
            {"a": {}, "b": {}},
            {"l": ("", {}), "m": ("l", {}), "n": ("", {})},
            containers={"c": ("m", {GC + "ref.content": "@a"})},
        ),
        "a l m",
    ),
    "cycles go": (
        ANY,
        make({"a": {GC + "ref.content": "@b"}, "b": {GC + "ref.content": "@a"}}),
        "",
    ),
    "leases keep what they hold and what follows": (
        ANY,
        make(
            {"a": {GC + "ref.content": "@b"}, "b": {}, "c": {}},
            {"l": ("", {}), "m": ("l", {GC + "ref.content": "@c"})},
            leases={"keep": ((("content", "@a"), ("snapshots/native", "m")), {})},
        ),
        "a b c l m keep",
    ),
    "flat leases follow no labels": (
        ANY,
        make(
            {"a": {GC + "ref.content": "@b"}, "b": {}, "c": {}},
            {"l": ("", {}), "m": ("l", {GC + "ref.content": "@c"})},
            leases={"keep": ((("content", "@a"), ("snapshots/native", "m")), {GC + "flat": "1"})},
        ),
        "a l m keep",
    ),
    "leases expire": (
        ANY,
        make(
            {"a": {}, "b": {}, "c": {}, "d": {}},
            leases={
                "gone": ((("content", "@a"),), {GC + "expire": PAST}),
                "later": ((("content", "@b"),), {GC + "expire": FUTURE}),
                "bad": ((("content", "@c"),), {GC + "expire": "tomorrow"}),
                "digit": ((("content", "@d"),), {GC + "expire": "2000-01-01T1:00:00,5Z"}),
            },
        ),
        "b c bad later",
    ),
    "ingests live for a day": (ANY, make(ingests=("one",)), ""),
    "roots of images and containers mean nothing": (ANY, make({"a": {}, "b": {}}, images={"i": ("a", ROOT)}), "a i"),
    "sandboxes keep what labels say": (NEW, make({"a": {}, "b": {}}, sandboxes={"s": {GC + "ref.content": "@a"}}), "a"),
    "images expire": (
        NEW,
        make(
            {"a": {}, "b": {}},
            images={
                "gone": ("a", {GC + "expire": PAST}),
                "later": ("b", {GC + "expire": FUTURE}),
                "bad": ("b", {GC + "expire": "x"}),
            },
        ),
        "b bad later",
    ),
    "references to images": (
        NEW,
        make(
            {
                "r": ROOT
                | {GC + "ref.image": "i", GC + "ref.image.x": "j", GC + "ref.image/y": "k", GC + "ref.images": "l"},
                "a": {},
                "b": {},
            },
            images={name: ("a", {GC + "expire": PAST}) for name in "ijk"} | {"l": ("b", {GC + "expire": PAST})},
        ),
        "a r i j k",
    ),
    "leases keep expired images, flat ones only their targets": (
        NEW,
        make(
            {"a": {GC + "ref.content": "@b"}, "b": {}, "c": {GC + "ref.content": "@d"}, "d": {}},
            images={"i": ("a", {GC + "expire": PAST}), "j": ("c", {GC + "expire": PAST})},
            leases={"deep": ((("images", "i"),), {}), "flat": ((("images", "j"),), {GC + "flat": "1"})},
        ),
        "a b c i j deep flat",
    ),
    "back references to content": (
        NEWER,
        make(
            {
                "r": ROOT,
                "a": {GC + "bref.content": "@r"},
                "b": {GC + "bref.content.x": "@a"},
                "c": {GC + "bref.content/y": "@nowhere"},
                "d": {GC + "bref.contents": "@r"},
            }
        ),
        "a b r",
    ),
    "back references to images": (
        NEWER,
        make({"t": {}, "a": {GC + "bref.image": "i"}, "b": {GC + "bref.image/x": "gone"}}, images={"i": ("t", {})}),
        "a t i",
    ),
    "back references to containers": (
        NEWER,
        make(
            {"a": {GC + "bref.container.x": "c"}, "b": {GC + "bref.container": "d"}},
            {"l": ("", {GC + "bref.container": "c"})},
            containers={"c": ("", {})},
        ),
        "a l",
    ),
    "back references to snapshots": (
        NEWER,
        make(
            {"a": {GC + "bref.snapshot.native": "l"}, "b": {GC + "bref.snapshot.overlayfs": "l"}},
            {"l": ("", ROOT), "m": ("", {GC + "bref.snapshot.native/x": "l"})},
        ),
        "a l m",
    ),
    "flat leases follow no back references": (
        NEWER,
        make({"a": {}, "b": {GC + "bref.content": "@a"}}, leases={"keep": ((("content", "@a"),), {GC + "flat": "1"})}),
        "a keep",
    ),
    "an expired image is kept by its back reference": (
        NEWER,
        make({"r": ROOT, "a": {}}, images={"i": ("a", {GC + "expire": PAST, GC + "bref.content": "@r"})}),
        "a r i",
    ),
    "conditional references": (
        NEWEST,
        make(
            {
                "t": {GC + "cond.snapshot.native": "usedat>1h|old"},
                "u": {GC + "cond.snapshot.native/a": "usedat<1h|none"},
            },
            {
                "fresh": ("", {GC + "cond.value-usedat": RECENT}),
                "old": ("", {GC + "cond.value-usedat": PAST}),
                "stale": ("", {GC + "cond.value-usedat": PAST}),
                "none": ("", {GC + "cond.value-usedat": RECENT}),
                "either": ("", {GC + "cond.value-usedat": PAST}),
                "unused": ("", {}),
                "bad": ("", {GC + "cond.value-usedat": "x"}),
            },
            images={
                "i": (
                    "t",
                    {
                        GC + "cond.snapshot.native": "usedat<24h|fresh",
                        GC + "cond.snapshot.native/2": "usedat<24h|stale",
                        GC + "cond.snapshot.native/3": "usedat<24h,usedat>48h|either",
                        GC + "cond.snapshot.native/4": "usedat<24h|unused",
                        GC + "cond.snapshot.native/5": "usedat<24h|bad",
                        GC + "cond.snapshot.native/6": "usedat<=24h|none",
                        GC + "cond.snapshot.native/7": "none",
                    },
                )
            },
        ),
        "t either fresh old i",
    ),
    "conditions of snapshots and containers mean nothing": (
        NEWEST,
        make(
            layers={
                "fresh": ("", {GC + "cond.value-usedat": RECENT}),
                "r": ("", ROOT | {GC + "cond.snapshot.native": "usedat<24h|fresh"}),
            },
            containers={"c": ("", {GC + "cond.snapshot.native": "usedat<24h|fresh"})},
        ),
        "r",
    ),
}


@dataclass(frozen=True)
class Maker:
    """Makes a world in a namespace of its own, under the lease ``LEASE``."""

    client: Any
    namespace: str

    async def ask(self, service: str, method: str, lease: str = LEASE, **fields: Any) -> Any:
        return await self.client.ask(service, method, fields, namespace=self.namespace, lease=lease)

    def data(self, name: str) -> bytes:
        return f"{self.namespace} {name}".encode()

    def digest(self, name: str) -> str:
        return digests.of(self.data(name))

    def labels(self, values: Labels) -> dict[str, str]:
        return {key: self.digest(value[1:]) if value[:1] == "@" else value for key, value in values.items()}

    async def write(self, name: str, values: Labels, *, commit: bool = True) -> None:
        blob = self.data(name)
        requests = [content.WriteContentRequest(action=content.WRITE, ref=name, data=blob)]
        if commit:
            last = {"offset": len(blob), "labels": self.labels(values)}
            requests.append(content.WriteContentRequest(action=content.COMMIT, **last))
        headers = [("containerd-namespace", self.namespace), ("containerd-lease", LEASE)]
        async with self.client.stub("content").open("Write", metadata=headers) as stream:
            for request in requests:
                await stream.send(request)
                await stream.receive()

    async def layer(self, name: str, parent: str, values: Labels) -> None:
        await self.ask("snapshots", "Prepare", snapshotter=NATIVE, key=f"active {name}", parent=parent)
        commit = {"name": name, "key": f"active {name}", "labels": self.labels(values)}
        await self.ask("snapshots", "Commit", snapshotter=NATIVE, **commit)

    async def image(self, name: str, target: str, values: Labels) -> None:
        descriptor = {"media_type": MEDIA_TYPE, "digest": self.digest(target), "size": 1}
        image = {"name": name, "target": descriptor, "labels": self.labels(values)}
        await self.ask("images", "Create", "", image=image)  # no lease, which would hold those that expire

    async def container(self, name: str, key: str, values: Labels) -> None:
        uses = {"snapshotter": NATIVE, "snapshot_key": key} if key else {}
        rest = {"runtime": {"name": "r"}, "spec": {"type_url": "t"}, "labels": self.labels(values)}
        await self.ask("containers", "Create", container={"id": name, **rest, **uses})

    async def sandbox(self, name: str, values: Labels) -> None:
        rest = {"sandboxer": "x", "runtime": {"name": "r"}, "labels": self.labels(values)}
        await self.ask("sandbox.Store", "Create", sandbox={"sandbox_id": name, **rest})

    async def lease(self, name: str, held: tuple[tuple[str, str], ...], values: Labels) -> None:
        await self.ask("leases", "Create", id=name, labels=dict(values))
        for type, id in held:
            key = self.digest(id[1:]) if id[:1] == "@" else id
            await self.ask("leases", "AddResource", id=name, resource={"type": type, "id": key})

    async def make(self, world: World) -> None:
        await self.ask("leases", "Create", "", id=LEASE)
        for name, values in world.blobs.items():
            await self.write(name, values)
        for ref in world.ingests:
            await self.write(ref, {}, commit=False)
        for name, (parent, values) in world.layers.items():
            await self.layer(name, parent, values)
        for name, (target, values) in world.images.items():
            await self.image(name, target, values)
        for name, (key, values) in world.containers.items():
            await self.container(name, key, values)
        for name, values in world.sandboxes.items():
            await self.sandbox(name, values)
        for name, (held, values) in world.leases.items():
            await self.lease(name, held, values)

    async def collect(self) -> None:
        await self.ask("leases", "Delete", "", id=LEASE, sync=True)

    async def left(self, world: World) -> str:
        """What is still there, by name: blobs, snapshots, images, leases and ingests, each in order."""
        blobs = {self.digest(name): name for name in world.blobs}
        there = {info.digest for part in await self.ask("content", "List") for info in part.info}
        snapshots = [
            info.name for part in await self.ask("snapshots", "List", snapshotter=NATIVE) for info in part.info
        ]
        images = [image.name for image in (await self.ask("images", "List")).images]
        leases = [lease.id for lease in (await self.ask("leases", "List")).leases]
        ingests = [status.ref for status in (await self.ask("content", "ListStatuses")).statuses]
        return " ".join([*sorted(blobs[digest] for digest in there), *snapshots, *images, *leases, *ingests])


@pytest.fixture
def maker(request: pytest.FixtureRequest) -> Callable[[Any], Maker]:
    """Makes the maker of a test for a client."""
    return lambda client: Maker(client, f"gc-{zlib.crc32(request.node.name.encode()):x}")


@pytest.mark.parametrize("rule", RULES)
def test_rule(both: Any, request: pytest.FixtureRequest, maker: Any, rule: str) -> None:
    since, world, kept = RULES[rule]
    if both.containerd and request.getfixturevalue("peer") < since:
        pytest.skip("this containerd does not know the rule")

    async def talk(client: Any) -> None:
        made = maker(client)
        await made.make(world)
        await made.collect()
        assert await made.left(world) == kept

    both.run(talk)


def test_references_do_not_cross_namespaces(both: Any, maker: Any) -> None:
    async def talk(client: Any) -> None:
        made = maker(client)
        world = make(blobs={"a": {}, "b": {}})
        await made.make(world)
        descriptor = {"media_type": MEDIA_TYPE, "digest": made.digest("a"), "size": 1}
        image = {"name": "i", "target": descriptor, "labels": made.labels({GC + "ref.content": "@b"})}
        await client.ask("images", "Create", {"image": image}, namespace=f"{made.namespace}-2")
        await made.collect()
        assert await made.left(world) == ""

    both.run(talk)


def test_deleting_an_image_with_sync_removes_what_it_kept(both: Any, maker: Any) -> None:
    async def talk(client: Any) -> None:
        made = maker(client)
        world = make(blobs={"t": {GC + "ref.content.0": "@u"}, "u": {}}, images={"i": ("t", {})})
        await made.make(world)
        await made.collect()
        assert await made.left(world) == "t u i"
        await made.ask("images", "Delete", name="i", sync=True)
        assert await made.left(world) == ""

    both.run(talk)


def test_what_a_collection_removes_is_published(both: Any, request: pytest.FixtureRequest, maker: Any) -> None:
    """Names of snapshots and images, but neither content nor leases."""
    if both.containerd and request.getfixturevalue("peer") < NEW:
        pytest.skip("this containerd publishes nothing")

    async def talk(client: Any) -> None:
        made = maker(client)
        subscribe = client.stub("events").service.methods["Subscribe"].request
        heard: list[str] = []

        async def listen() -> None:
            request = subscribe(filters=[f"namespace=={made.namespace}"])
            async for envelope in client.stub("events").receive("Subscribe", request):
                heard.append(envelope.topic)

        async def knock(topic: str) -> None:
            await made.ask("events", "Publish", "", topic=topic, event={"type_url": "t"})

        await made.make(make({"a": {}}, {"l": ("", {}), "m": ("l", {})}, leases={"old": ((), {GC + "expire": PAST})}))
        listening = asyncio.create_task(listen())
        try:
            async with asyncio.timeout(60):
                while not heard:  # containerd does not say when a subscription stands
                    await knock("/test/begins")
                    await asyncio.sleep(0.02)
                await made.collect()
                while heard.count("/snapshot/remove") < 2:  # containerd publishes on its own time
                    await asyncio.sleep(0.01)
                await knock("/test/ends")
                while "/test/ends" not in heard:
                    await asyncio.sleep(0.01)
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
        assert [topic for topic in heard if not topic.startswith("/test/")] == ["/snapshot/remove"] * 2

    both.run(talk)


def removals(parts: list[Any]) -> list[tuple[str, str, str]]:
    return [(each.object.kind, each.object.namespace, each.object.key) for part in parts for each in part.removals]


def test_our_own_service_tells_what_keeps_things_and_what_would_go(moorage: Any, maker: Any) -> None:
    service = "moorage.services.gc.v1.Gc"

    async def talk(client: Any) -> None:
        made = maker(client)
        world = make({"t": {GC + "ref.content.0": "@u"}, "u": {}}, {"l": ("", {})}, images={"i": ("t", {})})
        await made.make(world)
        answer = await made.ask(service, "Why", "", object={"kind": "content", "key": made.digest("u")[7:19]})
        paths = [[(step.object.kind, step.because) for step in path.steps] for path in answer.paths]
        assert paths == [
            [("lease", "root"), ("content", "held")],
            [("image", "root"), ("content", "target"), ("content", f"label {GC}ref.content.0")],
        ]
        with pytest.raises(errors.NotFound, match='content "none" in namespace'):
            await made.ask(service, "Why", "", object={"kind": "content", "key": "none"})
        await made.ask("leases", "DeleteResource", id=LEASE, resource={"type": "snapshots/native", "id": "l"})
        # The deletion brings a collection, which may come before the plan or not: either has removed the snapshot.
        plan = removals(await made.ask(service, "Plan", ""))
        run = removals(await made.ask(service, "Run", ""))
        assert set(run) <= set(plan)
        assert removals(await made.ask(service, "Plan", "")) == []
        assert await made.left(world) == f"t u i {LEASE}"

    moorage.run(talk)
