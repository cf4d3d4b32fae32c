"""The slot ``metadata``."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence, Set

from moorage_kv import Store
from moorage_metadata_lmdb import (
    explanations,
    marks,
    nodes,
    plans,
    promotions,
    removals,
    rows,
    spellings,
    sweeps,
    tables,
)
from moorage_metadata_lmdb.backends import Blobs, Layers
from moorage_metadata_lmdb.changes import Change, Scope
from moorage_metadata_lmdb.collectibles import Collectibles
from moorage_metadata_lmdb.containers import ContainerStore
from moorage_metadata_lmdb.contents import ContentView
from moorage_metadata_lmdb.images import ImageStore
from moorage_metadata_lmdb.leases import LeaseStore
from moorage_metadata_lmdb.ledgers import Ledger
from moorage_metadata_lmdb.namespaces import NamespaceStore
from moorage_metadata_lmdb.nodes import Node
from moorage_metadata_lmdb.reservations import Reservations
from moorage_metadata_lmdb.sandboxes import SandboxStore
from moorage_metadata_lmdb.snapshots import SnapshotView
from moorage_sdk import errors, metadata, namespaces
from moorage_sdk.content import ContentStore
from moorage_sdk.events import Exchange
from moorage_sdk.garbage import Explanation, Object, Plan, Removal
from moorage_sdk.resources import Resources
from moorage_sdk.snapshots import Snapshotter

TABLES = (*(table.name for table in rows.ALL), tables.INDEX, tables.OUTBOX)
SCHEMA = 1

PREFERENCE = ("overlayfs", "btrfs", "native")
"""Snapshotters from cheap to dear; those of third parties come last."""


def absent(name: str) -> str:
    """Why a snapshotter is not there, when nobody knows better."""
    return ""


class Database(metadata.Metadata):
    """Metadata over one store, one content store and any number of snapshotters.

    ``snapshotters`` is looked into at each use, so one that comes later is found; ``reason`` says why one is missing.
    """

    def __init__(
        self,
        store: Store,
        content: ContentStore,
        snapshotters: Mapping[str, Snapshotter],
        exchange: Exchange,
        *,
        shared: bool = True,
        default: str = "",
        reason: Callable[[str], str] = absent,
    ) -> None:
        self._ledger = Ledger(store, exchange)
        self._blobs = Blobs(content, shared)
        self._snapshotters = snapshotters
        self._default = default
        self._reason = reason
        self._layers: dict[str, Layers] = {}
        self._others: dict[str, Resources] = {}
        self._settling = Reservations()
        self._collecting = threading.Lock()
        # Whatever died with an earlier process may have left something.
        for name in ("content", *snapshotters):
            self._ledger.soil(name)

    @property
    def namespaces(self) -> NamespaceStore:
        return NamespaceStore(self._ledger)

    @property
    def snapshotters(self) -> Sequence[str]:
        return sorted(self._snapshotters)

    @property
    def preferred(self) -> str:
        """The configured default, or the best that works; empty when none does."""
        return self._default or next(
            (name for name in (*PREFERENCE, *self.snapshotters) if name in self._snapshotters), ""
        )

    @property
    def default_snapshotter(self) -> str:
        name = self.preferred
        if not name:
            raise errors.FailedPrecondition("snapshotters: none works: failed precondition")
        if name not in self._snapshotters:
            raise errors.FailedPrecondition(f"default {_not_loaded(name, self._reason(name))}")
        return name

    def view(self, namespace: str, lease: str = "") -> View:
        return View(self, self._ledger, self._blobs, Scope(namespaces.required(namespace), lease))

    def collects(self, resources: Resources) -> None:
        self._others[resources.kind] = resources

    def watch(self, changed: Callable[[metadata.Change], None]) -> None:
        self._ledger.watch(changed)

    def collect(self) -> metadata.Collection:
        with self._collecting:
            started = time.monotonic()
            others = Collectibles(dict(self._others))
            mark = self._mark(others)
            marked = time.monotonic()
            removed, pause = self._sweep(mark, others)
            report = removals.Report([nodes.object(node) for node in removed])
            # First those that may lie on snapshots that go, too.
            others.remove(report)
            self._clean(report)
            return metadata.Collection(
                removed=tuple(report.removed),
                failures=tuple(report.failures),
                pause=pause,
                elapsed=time.monotonic() - started,
                next_expiry=mark.next_expiry,
                marking=marked - started,
            )

    def plan(self) -> Plan:
        others = Collectibles(dict(self._others))
        with self._collecting:
            with self._ledger.read() as reading:
                others.list()
                names = plans.names(reading, time.time_ns(), others.mark)
            found, failures = list(names.removals), others.failures
            for name in sorted(names.backends | self._ledger.dirty):
                try:
                    found += self._plan_data(name, names.entries)
                except Exception as error:  # noqa: BLE001 - the plan for the other backends must not wait for this one
                    failures.append(f"{name}: {error}")
            return Plan(tuple(found), tuple(failures), names.next_expiry)

    def why(self, wanted: Object) -> Explanation:
        others = Collectibles(dict(self._others))
        with self._ledger.read() as reading:
            others.list()
            node = spellings.find(reading, wanted, others.items, others.owners)
            return explanations.explain(reading, time.time_ns(), node, others.mark)

    def layers(self, name: str) -> Layers:
        """A snapshotter by name.

        Raises:
            errors.InvalidArgument: it is not there.
        """
        if not name:
            raise errors.InvalidArgument("snapshotter argument missing: invalid argument")
        if (backend := self._snapshotters.get(name)) is None:
            raise errors.InvalidArgument(_not_loaded(name, self._reason(name)))
        layers = self._layers.get(name)
        if layers is not None and layers.backend is backend:
            return layers
        # At first use and not at the start, one name at a time: a snapshotter that fails or hangs concerns its users.
        with self._settling.waiting(name):
            layers = self._layers.get(name)
            if layers is None or layers.backend is not backend:
                layers = Layers(name, backend)
                promotions.settle(self._ledger, layers)
                self._ledger.soil(name)
                self._layers[name] = layers
            return layers

    def close(self) -> None:
        """Finish what is queued and release the store."""
        self._ledger.close()

    def _mark(self, others: Collectibles | None = None) -> marks.Mark:
        others = others or Collectibles()
        self._ledger.arm()
        with self._ledger.read() as reading:
            others.list()
            return marks.make(reading, time.time_ns(), others.mark)

    def _sweep(self, mark: marks.Mark, others: Collectibles | None = None) -> tuple[list[Node], float]:
        def sweep(change: Change) -> tuple[list[Node], float]:
            started = time.monotonic()
            # The scheduler must not take our own deletions for a reason to collect again.
            change.announced = False
            removed = sweeps.sweep(change, mark, self._ledger.disarm())
            if others:
                others.condemn(mark.garbage)
            return removed, time.monotonic() - started

        return self._ledger.change(sweep)

    def _plan_data(self, name: str, gone: Set[bytes]) -> list[Removal]:
        if name == "content":
            return list(plans.content(self._ledger, self._blobs, gone))
        if name in self._snapshotters:
            return list(plans.snapshots(self._ledger, self.layers(name), gone))
        return []

    def _clean(self, report: removals.Report) -> None:
        for name in sorted(self._ledger.cleanse()):
            before = len(report.failures)
            try:
                if name == "content":
                    removals.content(self._ledger, self._blobs, report)
                elif name in self._snapshotters:
                    removals.snapshots(self._ledger, self.layers(name), report)
            except Exception as error:  # noqa: BLE001 - a backend that cannot even be listed must not stop the others
                report.failures.append(f"{name}: {error}")
            if len(report.failures) > before:
                self._ledger.soil(name)


def _not_loaded(name: str, reason: str) -> str:
    because = f" ({reason})" if reason else ""
    return f"snapshotter not loaded: {name}{because}: invalid argument"


class View(metadata.View):
    """One namespace, with or without a lease."""

    def __init__(self, database: Database, ledger: Ledger, blobs: Blobs, scope: Scope) -> None:
        self._database = database
        self._ledger = ledger
        self._blobs = blobs
        self._scope = scope

    @property
    def namespace(self) -> str:
        return self._scope.namespace

    @property
    def lease(self) -> str:
        return self._scope.lease

    @property
    def content(self) -> ContentView:
        return ContentView(self._ledger, self._blobs.within(self.namespace), self._scope)

    @property
    def images(self) -> ImageStore:
        return ImageStore(self._ledger, self._scope)

    @property
    def containers(self) -> ContainerStore:
        return ContainerStore(self._ledger, self._scope)

    @property
    def sandboxes(self) -> SandboxStore:
        return SandboxStore(self._ledger, self._scope)

    @property
    def leases(self) -> LeaseStore:
        return LeaseStore(self._ledger, self._scope)

    def snapshotter(self, name: str) -> SnapshotView:
        return SnapshotView(self._ledger, self._database.layers(name).within(self.namespace), self._scope)
