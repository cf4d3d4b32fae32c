"""Leases and garbage collection beside a model of reachability, with labels of all kinds on objects of all kinds.

The model knows nothing of marks, indexes or transactions: it adds what follows from what is kept until nothing is added
any more.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from moorage_sdk import digests, errors
from moorage_sdk.garbage import Object

GC = "containerd.io/gc."
PAST, FUTURE = "2000-01-01T00:00:00Z", "2100-01-01T00:00:00Z"
RECENT = (datetime.now(UTC) - timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")

NAMESPACES = ("one", "two")
BLOBS = {digests.of(data): data for data in (b"0", b"1", b"2", b"3")}
NAMES = {
    "content": list(BLOBS),
    "snapshot": ["s0", "s1", "s2", "s3"],
    "image": ["i0", "i1", "i2"],
    "container": ["c0", "c1"],
    "sandbox": ["x0"],
    "lease": ["l0", "l1"],
}

Key = tuple[str, str, str]
"""Kind, namespace and name; a snapshot's name is without the snapshotter."""


@dataclass
class Thing:
    """``uses`` is what it refers to by itself: target, parent, snapshot, or what a lease holds."""

    labels: dict[str, str] = field(default_factory=dict)
    uses: set[Key] = field(default_factory=set)
    committed: bool = True


class Model:
    def __init__(self) -> None:
        self.there: dict[Key, Thing] = {}

    def put(self, namespace: str, lease: str, data: bytes, labels: dict[str, str]) -> str:
        self._add(("content", namespace, digests.of(data)), Thing(labels))
        return digests.of(data)

    def make(self, snapshotter: str, namespace: str, key: str, parent: str, labels: dict[str, str], view: bool) -> None:
        self._free(("snapshot", namespace, key))
        below = {("snapshot", namespace, parent)} if parent else set()
        for each in below:
            if not self._get(each).committed:
                raise errors.InvalidArgument("")
        self._add(("snapshot", namespace, key), Thing(labels, below, committed=False))

    def snapshot(
        self, snapshotter: str, namespace: str, name: str, key: str, labels: dict[str, str], parent: str
    ) -> None:
        self._free(("snapshot", namespace, name))
        active = self._get(("snapshot", namespace, key))
        if active.committed:
            raise errors.FailedPrecondition("")
        del self.there["snapshot", namespace, key]
        self._add(("snapshot", namespace, name), Thing(labels, active.uses))

    def remove(self, snapshotter: str, namespace: str, key: str) -> None:
        wanted = ("snapshot", namespace, key)
        self._get(wanted)
        if any(wanted in thing.uses for (kind, _, _), thing in self.there.items() if kind == "snapshot"):
            raise errors.FailedPrecondition("")
        del self.there[wanted]

    def image(self, namespace: str, name: str, digest: str, labels: dict[str, str]) -> None:
        self._add(("image", namespace, name), Thing(labels, {("content", namespace, digest)}))

    def container(self, namespace: str, name: str, key: str, labels: dict[str, str]) -> None:
        self._add(("container", namespace, name), Thing(labels, {("snapshot", namespace, key)} if key else set()))

    def sandbox(self, namespace: str, name: str, labels: dict[str, str]) -> None:
        self._add(("sandbox", namespace, name), Thing(labels))

    def lease(self, namespace: str, id: str, labels: dict[str, str]) -> None:
        self._add(("lease", namespace, id), Thing(labels))

    def hold(self, namespace: str, id: str, type: str, key: str) -> None:
        self._get(("lease", namespace, id)).uses.add((KINDS[type], namespace, key))

    def release(self, namespace: str, id: str, type: str, key: str) -> None:
        self._get(("lease", namespace, id)).uses.discard((KINDS[type], namespace, key))

    def resources(self, namespace: str, id: str) -> list[tuple[str, str]]:
        held = self._get(("lease", namespace, id)).uses
        return sorted((TYPES[kind], key) for kind, _, key in held)

    def relabel(self, namespace: str, digest: str, labels: dict[str, str], paths: tuple[str, ...]) -> None:
        self._get(("content", namespace, digest)).labels = labels

    def label(self, snapshotter: str, namespace: str, key: str, labels: dict[str, str]) -> None:
        self._get(("snapshot", namespace, key)).labels = labels

    def delete(self, namespace: str, kind: str, key: str) -> None:
        self._get((kind, namespace, key))
        del self.there[kind, namespace, key]

    def collect(self) -> None:
        kept = self.kept()
        self.there = {
            key: thing for key, thing in self.there.items() if key in kept or key[0] in ("container", "sandbox")
        }

    def kept(self) -> set[Key]:
        """All that is reachable. What a flat lease holds is kept with what it uses, but labels say nothing there."""
        deep, flat = set(self._roots()), set()
        for key, thing in self.there.items():
            if key in deep and key[0] == "lease":
                (flat if GC + "flat" in thing.labels else deep).update(thing.uses)
        while True:
            more = {each for key in deep for each in self._follows(key)}
            less = {each for key in flat if key in self.there for each in self.there[key].uses}
            if more <= deep and less <= flat:
                return deep | flat
            deep |= more
            flat |= less

    def look(self) -> list[Any]:
        found = []
        for key, name in self.spelled().items():
            held = self.resources(key[1], key[2]) if key[0] == "lease" else []
            found.append((*name, sorted(self.there[key].labels.items()), held))
        return sorted(found)

    def spelled(self) -> dict[Key, Key]:
        """All there is, as the store spells it."""
        return {
            (kind, where, key): (kind, where, f"native/{key}" if kind == "snapshot" else key)
            for kind, where, key in self.there
        }

    def _roots(self) -> Iterator[Key]:
        for key, thing in self.there.items():
            if key[0] in ("container", "sandbox"):
                yield key
            elif key[0] in ("image", "lease"):
                if thing.labels.get(GC + "expire") != PAST:
                    yield key
            elif GC + "root" in thing.labels:
                yield key

    def _follows(self, key: Key) -> Iterator[Key]:
        kind, namespace, _ = key
        if kind == "lease":
            return
        if thing := self.there.get(key):
            yield from thing.uses
            for label, value in thing.labels.items():
                if label in FORWARD:
                    yield FORWARD[label], namespace, value
                if label == GC + "cond.snapshot.native" and kind in ("content", "image"):
                    target = ("snapshot", namespace, value.partition("|")[2])
                    used = self.there[target].labels.get(GC + "cond.value-usedat") if target in self.there else None
                    if used == RECENT:
                        yield target
        for other, thing in self.there.items():
            child = other[1] == namespace and other[0] in ("content", "snapshot", "image")
            if child and any((BACKWARD.get(label), value) == (kind, key[2]) for label, value in thing.labels.items()):
                yield other

    def _add(self, key: Key, thing: Thing) -> None:
        self._free(key)
        self.there[key] = thing

    def _free(self, key: Key) -> None:
        if key in self.there:
            raise errors.AlreadyExists("")

    def _get(self, key: Key) -> Thing:
        if key not in self.there:
            raise errors.NotFound("")
        return self.there[key]


KINDS = {"content": "content", "images": "image", "snapshots/native": "snapshot"}
TYPES = {kind: type for type, kind in KINDS.items()}
FORWARD = {
    GC + "ref.content": "content",
    GC + "ref.content.n": "content",
    GC + "ref.image/n": "image",
    GC + "ref.snapshot.native": "snapshot",
    GC + "ref.snapshot.native/n": "snapshot",
}
BACKWARD = {
    GC + "bref.content": "content",
    GC + "bref.image.n": "image",
    GC + "bref.container": "container",
    GC + "bref.snapshot.native/n": "snapshot",
}
VOID = {GC + "ref.content-n": "content", GC + "ref.images": "image", GC + "ref.snapshot.overlayfs": "snapshot"}
"""Labels that look like references to something of ours and are none."""


class Machine(RuleBasedStateMachine):
    """Each step is one move, drawn from a seed: chosen freely, moves would be repeated and rarely fit the state."""

    def __init__(self, both: Any, weights: dict[str, int]) -> None:
        super().__init__()
        self.both = both
        self.weights = weights

    def teardown(self) -> None:
        self.both.process.close()

    @rule(seed=st.integers(0, 2**32))
    def step(self, seed: int) -> None:
        chance = random.Random(seed)
        (move,) = chance.choices(list(self.weights), list(self.weights.values()))
        getattr(self, move)(chance, chance.choice(["one", *NAMESPACES]))

    @invariant()
    def nothing_is_seen_that_the_model_does_not_have(self) -> None:
        self.both.check()

    @invariant()
    def what_would_be_collected_is_what_nothing_keeps(self) -> None:
        kept = self.both.model.kept()
        names = {key: f"{kind} {where} {name}" for key, (kind, where, name) in self.both.model.spelled().items()}
        planned = set(self.both.process.call("plan")) & set(names.values())
        assert planned == {name for key, name in names.items() if key not in kept}

    def put(self, chance: random.Random, where: str) -> None:
        self.act(chance, "put", where, "", chance.choice(list(BLOBS.values())), self.labels(chance, where, "content"))

    def unpack(self, chance: random.Random, where: str) -> None:
        name, parent = chance.choice(NAMES["snapshot"]), self.parent(chance, where)
        self.act(chance, "make", "native", where, "extract", parent, {}, False)
        self.act(chance, "snapshot", "native", where, name, "extract", self.labels(chance, where, "snapshot"), "")
        if ("snapshot", where, "extract") in self.both.model.there:
            self.both.do("remove", "native", where, "extract")

    def prepare(self, chance: random.Random, where: str) -> None:
        name, labels = chance.choice(NAMES["snapshot"]), self.labels(chance, where, "snapshot")
        self.act(chance, "make", "native", where, name, self.parent(chance, where), labels, False)

    def image(self, chance: random.Random, where: str) -> None:
        name, target = chance.choice(NAMES["image"]), self.some(chance, where, "content")
        self.act(chance, "image", where, name, target, self.labels(chance, where, "image"))

    def container(self, chance: random.Random, where: str) -> None:
        name, key = chance.choice(NAMES["container"]), chance.choice(["", self.some(chance, where, "snapshot")])
        self.act(chance, "container", where, name, key, self.labels(chance, where, "container"))

    def sandbox(self, chance: random.Random, where: str) -> None:
        self.act(chance, "sandbox", where, "x0", self.labels(chance, where, "sandbox"))

    def lease(self, chance: random.Random, where: str) -> None:
        self.act(chance, "lease", where, chance.choice(NAMES["lease"]), self.labels(chance, where, "lease"))

    def hold(self, chance: random.Random, where: str) -> None:
        id, type = self.some(chance, where, "lease"), chance.choice(list(KINDS))
        self.act(
            chance, chance.choice(["hold", "hold", "release"]), where, id, type, self.some(chance, where, KINDS[type])
        )
        self.both.do("resources", where, id)

    def relabel(self, chance: random.Random, where: str) -> None:
        if chance.random() < 0.5:
            self.act(chance, "relabel", where, chance.choice(list(BLOBS)), self.labels(chance, where, "content"), ())
        else:
            labels = self.labels(chance, where, "snapshot")
            self.act(chance, "label", "native", where, chance.choice(NAMES["snapshot"]), labels)

    def delete(self, chance: random.Random, where: str) -> None:
        kind = chance.choice(list(NAMES))
        if kind == "snapshot":
            self.act(chance, "remove", "native", where, chance.choice(NAMES[kind]))
        else:
            self.act(chance, "delete", where, kind, chance.choice(NAMES[kind]))

    def collect(self, chance: random.Random, where: str) -> None:
        self.explain(chance)
        if effect := chance.choice([0, 0, 1, 2, 3, 5, 8, 12]):
            self.both.die(effect, "collect")
        planned = self.both.process.call("plan")
        assert self.both.process.call("collect") == (planned, [])
        self.both.model.collect()
        assert self.both.process.call("plan") == []
        disk = self.both.process.call("disk")
        there = self.both.model.there
        assert set(disk["blobs"]) == {key for kind, _, key in there if kind == "content"}
        assert disk["native"] == sorted(f"{where}/{key}" for kind, where, key in there if kind == "snapshot")

    def explain(self, chance: random.Random) -> None:
        """What is explained is what is kept."""
        kept, names = self.both.model.kept(), self.both.model.spelled()
        for key in chance.sample(sorted(names), min(4, len(names))):
            paths = self.both.process.call("why", Object(*names[key]))
            assert bool(paths) == (key in kept), key

    def restart(self, chance: random.Random, where: str) -> None:
        self.both.process.restart()

    def act(self, chance: random.Random, name: str, *arguments: Any) -> None:
        if effect := chance.choice(CRASHES):
            self.both.die(effect, name, *arguments)
        else:
            self.both.do(name, *arguments)

    def labels(self, chance: random.Random, where: str, kind: str) -> dict[str, str]:
        given: dict[str, str] = {}
        for _ in range(chance.choice([0, 1, 1, 2, 3])):
            names = chance.choice([FORWARD, FORWARD, BACKWARD, BACKWARD, VOID])
            label = chance.choice(list(names))
            given[label] = self.some(chance, where, names[label])
        if chance.random() < 0.15:
            given[GC + "root"] = "1"
        if chance.random() < 0.3:
            given[GC + "cond.snapshot.native"] = f"usedat<1h|{self.some(chance, where, 'snapshot')}"
        if kind == "snapshot" and chance.random() < 0.6:
            given[GC + "cond.value-usedat"] = chance.choice([RECENT, PAST])
        if kind in ("image", "lease"):
            given[GC + "expire"] = chance.choice([PAST, FUTURE, FUTURE, "some day"])
        if kind == "lease" and chance.random() < 0.4:
            given[GC + "flat"] = "1"
        return given

    def some(self, chance: random.Random, where: str, kind: str) -> str:
        """As a rule one that is there."""
        there = [key for other, namespace, key in self.both.model.there if (other, namespace) == (kind, where)]
        return chance.choice(sorted(there) * 3 + NAMES[kind])

    def parent(self, chance: random.Random, where: str) -> str:
        there = self.both.model.there
        fitting = [
            key for key in NAMES["snapshot"] if (thing := there.get(("snapshot", where, key))) and thing.committed
        ]
        return chance.choice([*fitting, *fitting, ""])


CRASHES = [0] * 24 + [1, 2, 3, 4, 6, 9]
"""Before which effect of a call the store is killed; as a rule it is not."""

LEASES = {"lease": 5, "hold": 12, "delete": 2, "put": 1, "collect": 1, "restart": 1}
ALL = {
    "put": 6, "unpack": 6, "prepare": 2, "image": 4, "container": 2, "sandbox": 1, "lease": 2, "hold": 4, "relabel": 4,
    "delete": 3, "collect": 2, "restart": 1,
}  # fmt: skip


@pytest.mark.parametrize("weights", [LEASES, ALL], ids=["leases", "garbage"])
def test_beside_its_model(start: Callable[[], Any], beside: Any, scaled: Any, weights: dict[str, int]) -> None:
    def machine() -> Machine:
        return Machine(beside(start(), Model(), lambda process: process.call("names")), weights)

    run_state_machine_as_test(machine, settings=scaled(25 if weights is ALL else 10, 50))
