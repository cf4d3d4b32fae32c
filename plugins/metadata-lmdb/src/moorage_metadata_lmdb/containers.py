"""Containers (``core/metadata/containers.go``, events of ``plugins/services/containers/local.go``)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from moorage_api.messages import events as messages
from moorage_metadata_lmdb import rows
from moorage_metadata_lmdb.changes import Change, Scope
from moorage_metadata_lmdb.ledgers import Ledger, exists
from moorage_sdk import errors, identifiers, labels, masks
from moorage_sdk.containers import Container, Containers

_FIELDS = ("labels", "labels.", "spec", "extensions", "extensions.", "image", "snapshotkey")
_REPLACED = ("labels", "spec", "extensions", "image", "snapshotkey")


class ContainerStore(Containers):
    """The containers of one namespace."""

    def __init__(self, ledger: Ledger, scope: Scope) -> None:
        self._ledger = ledger
        self._namespace = scope.namespace

    def get(self, id: str) -> Container:
        with self._ledger.read() as reading:
            container = reading.get(rows.CONTAINERS, self._namespace, id)
        if container is None:
            raise self._missing(id)
        return container

    def list(self) -> list[Container]:
        return [row for _, row in self._ledger.rows(rows.CONTAINERS, self._namespace)]

    def create(self, container: Container) -> Container:
        _validate(container)
        now = time.time_ns()
        new = replace(container, labels=labels.stored(container.labels), created_at=now, updated_at=now)

        def create(change: Change) -> None:
            if change.has(rows.CONTAINERS, self._namespace, new.id):
                raise exists("container", new.id)
            change.enter(self._namespace)
            change.put(rows.CONTAINERS, (self._namespace, new.id), new)
            change.emit(self._namespace, "/containers/create", _created(new))

        self._ledger.change(create)
        return new

    def update(self, container: Container, paths: Sequence[str] = ()) -> Container:
        if not container.id:
            raise errors.InvalidArgument("must specify a container id: invalid argument")
        masks.check(paths, _FIELDS, f'"{container.id}"')

        def update(change: Change) -> Container:
            old = change.get(rows.CONTAINERS, self._namespace, container.id)
            if old is None:
                raise self._missing(container.id)
            if not paths:
                _check_immutable(old, container)
            new = replace(_merge(old, container, paths or _REPLACED), updated_at=time.time_ns())
            _validate(new)
            change.put(rows.CONTAINERS, (self._namespace, new.id), new)
            event = messages.ContainerUpdate(
                id=new.id, image=new.image, labels=new.labels, snapshot_key=new.snapshot_key
            )
            change.emit(self._namespace, "/containers/update", event)
            return new

        return self._ledger.change(update)

    def delete(self, id: str) -> None:
        def delete(change: Change) -> None:
            if change.delete(rows.CONTAINERS, self._namespace, id) is None:
                raise self._missing(id)
            change.emit(self._namespace, "/containers/delete", messages.ContainerDelete(id=id))

        self._ledger.change(delete)

    def _missing(self, id: str) -> errors.NotFound:
        return errors.NotFound(f'container "{id}" in namespace "{self._namespace}": not found')


def _created(container: Container) -> messages.ContainerCreate:
    runtime = container.runtime
    event = messages.ContainerCreate(id=container.id, image=container.image)
    event.runtime.name = runtime.name
    if runtime.options is not None:
        event.runtime.options.type_url = runtime.options.type_url
        event.runtime.options.value = runtime.options.value
    return event


def _merge(old: Container, new: Container, paths: Sequence[str]) -> Container:
    return replace(
        old,
        labels=masks.update_map(old.labels, new.labels, paths),
        extensions=masks.update_map(old.extensions, new.extensions, paths, "extensions"),
        spec=new.spec if "spec" in paths else old.spec,
        image=new.image if "image" in paths else old.image,
        snapshot_key=new.snapshot_key if "snapshotkey" in paths else old.snapshot_key,
    )


def _check_immutable(old: Container, new: Container) -> None:
    if old.snapshotter != new.snapshotter:
        raise errors.InvalidArgument("container.Snapshotter field is immutable: invalid argument")
    if old.runtime.name != new.runtime.name:
        raise errors.InvalidArgument("container.Runtime.Name field is immutable: invalid argument")


def _validate(container: Container) -> None:
    identifiers.validate(container.id, "container.ID")
    if "" in container.extensions:
        raise errors.InvalidArgument("container.Extension keys must not be zero-length: invalid argument")
    labels.validate(container.labels)
    if not container.runtime.name:
        raise errors.InvalidArgument("container.Runtime.Name must be set: invalid argument")
    if container.spec is None:
        raise errors.InvalidArgument("container.Spec must be set: invalid argument")
    if container.snapshot_key and not container.snapshotter:
        raise errors.InvalidArgument(
            "container.Snapshotter must be set if container.SnapshotKey is set: invalid argument"
        )
