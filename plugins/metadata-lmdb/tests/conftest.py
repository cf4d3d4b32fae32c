"""Backends in memory and a database over them that can be closed and opened again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from moorage_kv import Store
from moorage_metadata_lmdb.databases import SCHEMA, TABLES, Database
from moorage_sdk import digests, errors, labels, masks
from moorage_sdk.events import Envelope, Exchange, Payload, Subscription
from moorage_sdk.metadata import View
from moorage_sdk.mounts import Mount
from moorage_sdk.snapshots import Info, Kind, Snapshotter, Usage
from moorage_testkit.fakes.content import MemoryStore


class MemorySnapshotter(Snapshotter):
    """``infos`` may be looked at; ``remote`` are targets that it has already; ``broken`` keys cannot be removed."""

    def __init__(self) -> None:
        self.infos: dict[str, Info] = {}
        self.remote: dict[str, Info] = {}
        self.broken: set[str] = set()
        self.cleanups = 0
        self.before_commit: Callable[[], None] = lambda: None
        self.after_commit: Callable[[], None] = lambda: None
        self._guard = threading.Lock()

    def stat(self, key: str) -> Info:
        with self._guard:
            if key not in self.infos:
                raise errors.NotFound(f"snapshot {key} does not exist: not found")
            return self.infos[key]

    def update(self, info: Info, paths: Sequence[str] = ()) -> Info:
        old = self.stat(info.name)
        self.infos[info.name] = replace(old, labels=masks.update_map(old.labels, info.labels, paths or ("labels",)))
        return self.infos[info.name]

    def usage(self, key: str) -> Usage:
        self.stat(key)
        return Usage(len(key), 1)

    def mounts(self, key: str) -> tuple[Mount, ...]:
        if self.stat(key).kind is Kind.COMMITTED:
            raise errors.FailedPrecondition(f"snapshot {key} is committed: failed precondition")
        return (Mount("bind", f"/memory/{key}", ("rw", "rbind")),)

    def prepare(self, key: str, parent: str = "", labels: Mapping[str, str] | None = None) -> tuple[Mount, ...]:
        return self._create(Kind.ACTIVE, key, parent, labels or {})

    def view(self, key: str, parent: str = "", labels: Mapping[str, str] | None = None) -> tuple[Mount, ...]:
        return self._create(Kind.VIEW, key, parent, labels or {})

    def _create(self, kind: Kind, key: str, parent: str, given: Mapping[str, str]) -> tuple[Mount, ...]:
        if (target := given.get(labels.SNAPSHOT_REF, "")) in self.remote:
            self.infos.setdefault(f"remote/{target}", replace(self.remote[target], name=f"remote/{target}"))
            raise errors.AlreadyExists(f"target {target}: already exists")
        with self._guard:
            if key in self.infos:
                raise errors.AlreadyExists(f"snapshot {key}: already exists")
            if parent and parent not in self.infos:
                raise errors.NotFound(f"parent {parent}: not found")
            if parent and self.infos[parent].kind is not Kind.COMMITTED:
                raise errors.InvalidArgument(f"parent {parent} is not committed: invalid argument")
            self.infos[key] = Info(kind, key, parent, dict(given), 1, 1)
        return self.mounts(key)

    def commit(self, name: str, key: str, labels: Mapping[str, str] | None = None, parent: str = "") -> None:
        self.before_commit()
        old = self.stat(key)
        if old.kind is not Kind.ACTIVE:
            raise errors.FailedPrecondition(f"snapshot {key} is not active: failed precondition")
        with self._guard:
            del self.infos[key]
            self.infos[name] = Info(Kind.COMMITTED, name, old.parent or parent, dict(labels or {}), 2, 2)
        self.after_commit()

    def remove(self, key: str) -> None:
        self.stat(key)
        if key in self.broken:
            raise errors.Unavailable(f"snapshot {key} is busy: unavailable")
        with self._guard:
            if any(info.parent == key for info in self.infos.values()):
                raise errors.FailedPrecondition(f"snapshot {key} has children: failed precondition")
            del self.infos[key]

    def walk(self) -> Iterator[Info]:
        return iter([self.infos[name] for name in sorted(self.infos)])

    def cleanup(self) -> None:
        self.cleanups += 1

    def close(self) -> None:
        return


class Recorder(Exchange):
    """Keeps what is sent. ``refuse`` makes it raise, as an exchange does for a bad envelope."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.refuse = False

    def publish(self, namespace: str, topic: str, event: Payload) -> None:
        raise AssertionError("metadata forwards, for the time of the change is known")

    def forward(self, envelope: Envelope) -> None:
        if self.refuse:
            raise errors.InvalidArgument("refused")
        self.envelopes.append(envelope)

    def subscribe(self, wake: Any, match: Any = None) -> Subscription:
        raise AssertionError("metadata does not subscribe")

    @property
    def topics(self) -> list[str]:
        return [envelope.topic for envelope in self.envelopes]


@dataclass
class Rig:
    """A database over backends that outlive it."""

    path: Path
    content: MemoryStore = field(default_factory=MemoryStore)
    layers: MemorySnapshotter = field(default_factory=MemorySnapshotter)
    exchange: Recorder = field(default_factory=Recorder)
    shared: bool = True

    def __post_init__(self) -> None:
        self.snapshotters: dict[str, Snapshotter] = {"memory": self.layers}
        self.open()

    def open(self) -> None:
        self.store = Store.open(self.path, tables=TABLES, schema=SCHEMA, map_size=256 << 20, durable=False)
        self.database = Database(
            self.store,
            self.content,
            self.snapshotters,
            self.exchange,
            shared=self.shared,
            reason=lambda name: f"{name} is made up",
        )

    def reopen(self) -> None:
        self.database.close()
        self.open()

    def view(self, namespace: str = "default", lease: str = "") -> View:
        return self.database.view(namespace, lease)

    def put(self, data: bytes, namespace: str = "default", lease: str = "", **given: str) -> str:
        """Bring a blob; labels are given with ``_`` for the dots and slashes they would have, see ``label``."""
        with self.view(namespace, lease).content.writer(f"ref-{len(data)}-{digests.of(data)}") as writer:
            writer.write(data)
            return writer.commit(labels={label(key): value for key, value in given.items()})

    def layer(self, name: str, parent: str = "", namespace: str = "default", lease: str = "", **given: str) -> None:
        """Commit a snapshot."""
        snapshotter = self.view(namespace, lease).snapshotter("memory")
        snapshotter.prepare(f"active-{name}", parent)
        snapshotter.commit(name, f"active-{name}", {label(key): value for key, value in given.items()})


def label(key: str) -> str:
    """``gc_root`` -> ``containerd.io/gc.root``."""
    return "containerd.io/" + key.replace("_", ".")


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path / "db")
    yield made
    made.database.close()


@pytest.fixture
def make_rig(tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    made: list[Rig] = []

    def make(**options: Any) -> Rig:
        made.append(Rig(tmp_path / f"db-{len(made)}", **options))
        return made[-1]

    yield make
    for each in made:
        each.database.close()


@pytest.fixture(scope="session")
def rig_class() -> type[Rig]:
    """For tests that make a rig for each of their examples."""
    return Rig
