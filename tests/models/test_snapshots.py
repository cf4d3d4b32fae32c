"""Snapshots beside a model of them: prepared, viewed, filled, committed, given a parent afterwards, removed."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from moorage_sdk import errors

ROOT = "containerd.io/gc.root"
NAMESPACES = ("one", "two")
KEYS = ("a", "b", "c", "d", "e")
ACTIVE, VIEW, COMMITTED, ABSENT = "active", "view", "committed", "absent"


@dataclass(frozen=True)
class Snapshot:
    kind: str
    parent: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    files: frozenset[str] = frozenset()


class Model:
    """Snapshots by namespace and name. ``rebases`` is whether a parent can be given with the commit."""

    def __init__(self, rebases: bool) -> None:
        self.rebases = rebases
        self.there: dict[tuple[str, str], Snapshot] = {}

    def make(self, snapshotter: str, namespace: str, key: str, parent: str, labels: dict[str, str], view: bool) -> None:
        if (namespace, key) in self.there:
            raise errors.AlreadyExists("")
        files: frozenset[str] = frozenset()
        if parent:
            files = self._committed(namespace, parent).files
        self.there[namespace, key] = Snapshot(VIEW if view else ACTIVE, parent, labels, files)

    def snapshot(
        self, snapshotter: str, namespace: str, name: str, key: str, labels: dict[str, str], parent: str
    ) -> None:
        if (namespace, name) in self.there:
            raise errors.AlreadyExists("")
        active = self._get(namespace, key)
        chosen = active.parent or parent
        if chosen:
            self._get(namespace, chosen)
        if parent and not active.parent and not self.rebases:
            raise errors.Unimplemented("")
        if active.kind != ACTIVE:
            raise errors.FailedPrecondition("")
        if parent and not active.parent:
            self._committed(namespace, parent)
        del self.there[namespace, key]
        self.there[namespace, name] = replace(active, kind=COMMITTED, parent=chosen, labels=labels)

    def remove(self, snapshotter: str, namespace: str, key: str) -> None:
        self._get(namespace, key)
        if any(other.parent == key for (where, _), other in self.there.items() if where == namespace):
            raise errors.FailedPrecondition("")
        del self.there[namespace, key]

    def label(self, snapshotter: str, namespace: str, key: str, labels: dict[str, str]) -> None:
        self.there[namespace, key] = replace(self._get(namespace, key), labels=labels)

    def touch(self, namespace: str, key: str, name: str) -> None:
        snapshot = self._get(namespace, key)
        if snapshot.kind != ACTIVE:
            raise errors.FailedPrecondition("")
        self.there[namespace, key] = replace(snapshot, files=snapshot.files | {name})

    def files(self, namespace: str, key: str) -> list[str]:
        snapshot = self._get(namespace, key)
        if snapshot.kind == COMMITTED:
            raise errors.FailedPrecondition("")
        return sorted(snapshot.files)

    def collect(self) -> None:
        """Root labels keep a snapshot and the snapshots below it."""
        kept = set()
        for (namespace, key), snapshot in self.there.items():
            if ROOT in snapshot.labels:
                while key:
                    kept.add((namespace, key))
                    key = self.there[namespace, key].parent
        self.there = {key: snapshot for key, snapshot in self.there.items() if key in kept}

    def look(self) -> Any:
        return sorted(
            (namespace, key, each.kind, each.parent, tuple(sorted(each.labels.items())))
            for (namespace, key), each in self.there.items()
        )

    def kind(self, namespace: str, key: str) -> str:
        return self.there[namespace, key].kind if (namespace, key) in self.there else ABSENT

    def _get(self, namespace: str, key: str) -> Snapshot:
        if (namespace, key) not in self.there:
            raise errors.NotFound("")
        return self.there[namespace, key]

    def _committed(self, namespace: str, key: str) -> Snapshot:
        found = self._get(namespace, key)
        if found.kind != COMMITTED:
            raise errors.InvalidArgument("")
        return found


def seen_in(snapshotter: str) -> Callable[[Any], Any]:
    def seen(process: Any) -> Any:
        found = []
        for namespace in NAMESPACES:
            for info in process.call("call", namespace, "", f"{snapshotter}.walk"):
                labels = tuple(sorted(info.labels.items()))
                found.append((namespace, info.name, info.kind.name.lower(), info.parent, labels))
        return sorted(found)

    return seen


LABELS: list[dict[str, str]] = [{ROOT: "1"}, {ROOT: "1"}, {"k": "1"}, {"containerd.io/snapshot/x": "1"}, {}]
CRASHES = [0] * 12 + [1, 2, 3, 4, 6, 9]
"""Before which effect of a call the store is killed; as a rule it is not."""


def torn(before: Model, name: str, arguments: tuple[Any, ...]) -> list[Model]:
    """A snapshotter has labels of its own, and they are what it was told, if the names of the store were not yet."""
    if name != "label" or before.kind(*arguments[1:3]) == ABSENT:
        return []
    told = {key: value for key, value in arguments[3].items() if key.startswith("containerd.io/snapshot/")}
    after = copy.deepcopy(before)
    after.label(*arguments[:3], {**told, **before.there[arguments[1], arguments[2]].labels})
    return [after]


class Machine(RuleBasedStateMachine):
    """Each step is one move, drawn from a seed: chosen freely, moves would be repeated and rarely fit the state."""

    def __init__(self, both: Any, snapshotter: str) -> None:
        super().__init__()
        self.both = both
        self.snapshotter = snapshotter

    def teardown(self) -> None:
        self.both.process.close()

    @rule(seed=st.integers(0, 2**32))
    def step(self, seed: int) -> None:
        chance = random.Random(seed)
        moves = [self.make, self.commit, self.unpack, self.remove, self.label, self.fill, self.collect, self.restart]
        (move,) = chance.choices(moves, [6, 5, 6, 3, 3, 4, 1, 1])
        move(chance, chance.choice(["one", *NAMESPACES]))

    @invariant()
    def nothing_is_seen_that_the_model_does_not_have(self) -> None:
        self.both.check()

    def make(self, chance: random.Random, namespace: str) -> None:
        key, parent = self.some(chance, namespace, ABSENT), self.parent(chance, namespace)
        view = chance.random() < 0.3
        self.act(chance, "make", self.snapshotter, namespace, key, parent, chance.choice(LABELS), view)

    def commit(self, chance: random.Random, namespace: str) -> None:
        name, key = self.some(chance, namespace, ABSENT), self.some(chance, namespace, ACTIVE)
        parent = self.parent(chance, namespace) if chance.random() < 0.5 else ""
        self.act(chance, "snapshot", self.snapshotter, namespace, name, key, chance.choice(LABELS), parent)

    def unpack(self, chance: random.Random, namespace: str) -> None:
        """What a pull does for each layer."""
        key, name, parent = "extract", self.some(chance, namespace, ABSENT), self.parent(chance, namespace)
        self.both.do("make", self.snapshotter, namespace, key, parent, {}, False)
        if self.snapshotter == "native" and self.both.model.kind(namespace, key) == ACTIVE:
            self.both.do("touch", namespace, key, name)
        self.act(chance, "snapshot", self.snapshotter, namespace, name, key, chance.choice(LABELS), "")
        self.both.do("remove", self.snapshotter, namespace, key)

    def remove(self, chance: random.Random, namespace: str) -> None:
        self.act(chance, "remove", self.snapshotter, namespace, self.some(chance, namespace, ACTIVE, VIEW, COMMITTED))

    def label(self, chance: random.Random, namespace: str) -> None:
        key = self.some(chance, namespace, ACTIVE, VIEW, COMMITTED)
        self.act(chance, "label", self.snapshotter, namespace, key, chance.choice(LABELS))

    def fill(self, chance: random.Random, namespace: str) -> None:
        if self.snapshotter == "native":
            key = self.some(chance, namespace, ACTIVE, VIEW)
            if self.both.model.kind(namespace, key) == ACTIVE:
                self.both.do("touch", namespace, key, chance.choice("fgh"))
            self.both.do("files", namespace, key)

    def collect(self, chance: random.Random, namespace: str) -> None:
        if effect := chance.choice([0, 1, 2, 3, 5, 8, 12]):
            self.both.die(effect, "collect")
        planned = self.both.process.call("plan")
        assert self.both.process.call("collect") == (planned, [])
        self.both.model.collect()
        names = sorted(map("/".join, self.both.model.there))
        assert self.both.process.call("disk")[self.snapshotter] == names

    def restart(self, chance: random.Random, namespace: str) -> None:
        self.both.process.restart()

    def act(self, chance: random.Random, name: str, *arguments: Any) -> None:
        if effect := chance.choice(CRASHES):
            self.both.die(effect, name, *arguments)
        else:
            self.both.do(name, *arguments)

    def some(self, chance: random.Random, namespace: str, *kinds: str) -> str:
        """As a rule a snapshot of one of these kinds, now and then just any key."""
        fitting = [key for key in KEYS if self.both.model.kind(namespace, key) in kinds]
        return chance.choice(fitting * 4 + list(KEYS))

    def parent(self, chance: random.Random, namespace: str) -> str:
        """As a rule what can be one, now and then none or just any key."""
        fitting = [key for key in KEYS if self.both.model.kind(namespace, key) == COMMITTED]
        return chance.choice(fitting * 6 + [""] * 4 + [chance.choice(KEYS)])


@pytest.mark.parametrize(("snapshotter", "rebases"), [("native", False), ("overlayfs", True)])
def test_snapshots_beside_their_model(
    start: Callable[[], Any], beside: Any, scaled: Any, snapshotter: str, rebases: bool
) -> None:
    def machine() -> Machine:
        return Machine(beside(start(), Model(rebases), seen_in(snapshotter), torn), snapshotter)

    run_state_machine_as_test(machine, settings=scaled(25, 40))
