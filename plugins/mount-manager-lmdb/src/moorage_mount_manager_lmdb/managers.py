"""The slot ``mount-manager``: activations, and what becomes of those that nobody ends.

Order is everything here. A record with the types of what will be mounted is on disk before the first mount; it becomes
an ending before the first unmount, and goes after the last. So at every moment the records cover what is mounted.
"""

from __future__ import annotations

import builtins
import logging
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from typing import TypeVar

from moorage_mount_manager_lmdb import plans, records
from moorage_mount_manager_lmdb.locks import Locks
from moorage_mount_manager_lmdb.plans import Plan, Step
from moorage_mount_manager_lmdb.records import Ending, Record, Records
from moorage_mount_manager_lmdb.roots import Roots
from moorage_mount_manager_lmdb.targets import Targets
from moorage_mount_manager_lmdb.transformations import apply
from moorage_sdk import errors, labels
from moorage_sdk.activations import Activation, ActiveMount, MountHandler, MountManager
from moorage_sdk.mounts import Mount
from moorage_sdk.namespaces import required
from moorage_sdk.resources import Item, Resources
from moorage_sys import faults

T = TypeVar("T")

log = logging.getLogger(__name__)

LENT = "moorage-lent"
"""The namespace of what is lent, for which no client has a name."""


class LmdbMountManager(MountManager):
    """``handlers`` by the type that they mount; ``roots`` are where transformations may make something."""

    def __init__(self, store: Records, targets: Targets, handlers: Mapping[str, MountHandler], roots: Roots) -> None:
        self._records = store
        self._targets = targets
        self._handlers = handlers
        self._roots = roots
        self._locks = Locks()
        self._condemned: set[int] = set()
        self._lent: set[str] = set()

    def concerns(self, mounts: Sequence[Mount]) -> bool:
        return plans.make(mounts, self._handlers) is not None

    def activate(
        self,
        namespace: str,
        name: str,
        mounts: Sequence[Mount],
        *,
        labels: Mapping[str, str] | None = None,
        temporary: bool = False,
        allowed: Collection[str] = (),
        lease: str = "",
    ) -> Activation:
        required(namespace)
        plan = plans.make(mounts, self._handlers, temporary=temporary, allowed=allowed)
        if plan is None:
            raise errors.Unimplemented("no mount has to be activated: not implemented")
        given = _checked(name, labels or {})
        with self._locks.held((namespace, name)):
            self._make_way(namespace, name)
            types = tuple(step.mount.type for step in plan.performed)
            record = self._records.begin(namespace, name, types, given, lease)
            try:
                return self._perform(record, plan, temporary=temporary)
            except BaseException:
                self._abandon(record)
                raise

    @contextmanager
    def lent(self, mounts: Sequence[Mount]) -> Iterator[tuple[Mount, ...]]:
        if not self.concerns(mounts):
            yield tuple(mounts)
            return
        name = secrets.token_hex(16)
        self._lent.add(name)
        try:
            yield self.activate(LENT, name, mounts).system
        finally:
            self._lent.discard(name)
            _logged(self._take_back, name)

    def deactivate(self, namespace: str, name: str) -> None:
        required(namespace)
        with self._locks.held((namespace, name)):
            ending = self._records.end(self._complete(namespace, name))
            self._undo(ending)

    def info(self, namespace: str, name: str) -> Activation:
        required(namespace)
        return self._complete(namespace, name).activation

    def update(self, namespace: str, activation: Activation, paths: Sequence[str] = ()) -> Activation:
        """Raises errors.Unimplemented, as containerd."""
        raise errors.Unimplemented(f'mount "{activation.name}": activations cannot be changed: not implemented')

    def list(self, namespace: str) -> builtins.list[Activation]:
        required(namespace)
        found = self._records.all(namespace)
        return [each.activation for each in found if each.complete and each.number not in self._condemned]

    def recover(self, *, rebooted: bool) -> None:
        """Undo what an earlier process left half-made or half-undone, or a reboot took away. Failures are logged."""
        for record in self._records.all():
            if (
                rebooted
                or record.namespace == LENT
                or not record.complete
                or not self._targets.mounted(record.activation.active)
            ):
                log.info('mount "%s" in namespace "%s": undone', record.activation.name, record.namespace)
                self._records.end(record)
        self.retry()
        known = [each.number for each in self._records.all()] + [each.number for each in self._records.endings()]
        for number in self._targets.strangers(known):
            log.warning("mounts in %s: of no activation, undone", self._targets.of(number))
            if _logged(self._targets.clear, number):
                self._records.skip(number)

    def retry(self) -> builtins.list[str]:
        """Try again to undo what could not be undone; what still cannot be."""
        failures = [_logged(self._undo, ending) for ending in self._records.endings()]
        return [failure for failure in failures if failure]

    def resources(self) -> Resources:
        """Activations as things that are collected."""
        return Collectable(self, self._records, self._condemned, self._lent)

    def collect(self, item: Item) -> None:
        """End an activation that was condemned. Raises as ``deactivate``."""
        with self._locks.held((item.namespace, item.name)):
            record = self._records.get(item.namespace, item.name)
            if record is None or str(record.number) != item.token:
                raise records.missing(item.name)
            self._undo(self._records.end(record))

    def _take_back(self, name: str) -> None:
        if (record := self._records.get(LENT, name)) is not None:
            self._undo(self._records.end(record))

    def _make_way(self, namespace: str, name: str) -> None:
        """Nobody keeps what was condemned, so that the name is free before the collector comes to it."""
        record = self._records.get(namespace, name)
        if record is not None and record.number in self._condemned:
            self._abandon(record)

    def _complete(self, namespace: str, name: str) -> Record:
        record = self._records.get(namespace, name)
        if record is None or not record.complete or record.number in self._condemned:
            raise records.missing(name)
        return record

    def _perform(self, record: Record, plan: Plan, *, temporary: bool) -> Activation:
        with faults.translated(f'mount "{record.activation.name}"'):
            self._targets.create(record.number)
        active: builtins.list[ActiveMount] = []
        for index, step in enumerate(plan.performed):
            mount = self._transformed(step, active)
            active.append(self._targets.perform(record.number, index, mount, active))
        system = (self._transformed(plan.first, active), *plan.rest) if plan.first else ()
        if temporary:
            system = (Mount("bind", active[-1].mount_point, ("rbind",)),)
        done = Activation(record.activation.name, tuple(active), system, record.activation.labels)
        self._records.complete(record, done)
        return done

    def _transformed(self, step: Step, active: Sequence[ActiveMount]) -> Mount:
        with faults.translated(f'mount "{step.mount.source}" of type {step.whole}'):
            return apply(step, self._roots, active)

    def _abandon(self, record: Record) -> None:
        """What fails here is tried again by collections and the next daemon; the first error is the caller's."""
        try:
            self._undo(self._records.end(record))
        except errors.Error as error:
            log.warning('mount "%s": left for later: %s', record.activation.name, error)

    def _undo(self, ending: Ending) -> None:
        with self._locks.held(ending.number):  # the collector tries again what somebody may just be undoing
            self._targets.undo(ending)
            self._records.ended(ending)


class Collectable(Resources):
    """The manager's activations as the garbage collector sees them."""

    def __init__(self, manager: LmdbMountManager, store: Records, condemned: set[int], lent: Set[str]) -> None:
        self._manager = manager
        self._records = store
        self._condemned = condemned
        self._lent = lent

    @property
    def kind(self) -> str:
        """ReferenceLabel in ``core/mount/manager/manager.go``."""
        return "mount"

    def all(self) -> Sequence[Item]:
        return [
            Item(each.namespace, each.activation.name, str(each.number), each.lease, each.activation.labels)
            for each in self._records.all()
            if each.complete and not (each.namespace == LENT and each.activation.name in self._lent)
        ]

    def condemn(self, items: Sequence[Item]) -> None:
        self._condemned.update(int(item.token) for item in items)

    def remove(self, item: Item) -> None:
        try:
            self._manager.collect(item)
        finally:
            self._condemned.discard(int(item.token))

    def cleanup(self) -> None:
        if failures := self._manager.retry():
            raise errors.FailedPrecondition("; ".join(failures))


def _logged(work: Callable[[T], None], about: T) -> str:
    """The error of ``work``, also logged; "" for none."""
    try:
        work(about)
    except errors.Error as error:
        log.warning("not undone: %s", error)
        return str(error)
    return ""


def _checked(name: str, given: Mapping[str, str]) -> Mapping[str, str]:
    if not name:
        raise errors.InvalidArgument("mount name must not be empty: invalid argument")
    labels.validate(given)
    return labels.stored(given)
