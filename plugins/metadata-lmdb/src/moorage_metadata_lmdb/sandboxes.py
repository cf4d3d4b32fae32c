"""Sandboxes (``core/metadata/sandbox.go``). The store announces nothing; the controllers' service does."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from moorage_metadata_lmdb import rows
from moorage_metadata_lmdb.changes import Change, Scope
from moorage_metadata_lmdb.ledgers import Ledger, exists
from moorage_sdk import errors, identifiers, labels, masks
from moorage_sdk.sandboxes import Sandbox, Sandboxes

_FIELDS = ("labels", "labels.", "extensions", "extensions.", "spec", "runtime")
_REPLACED = ("labels", "extensions", "spec", "runtime")


class SandboxStore(Sandboxes):
    """The sandboxes of one namespace."""

    def __init__(self, ledger: Ledger, scope: Scope) -> None:
        self._ledger = ledger
        self._namespace = scope.namespace

    def get(self, id: str) -> Sandbox:
        with self._ledger.read() as reading:
            sandbox = reading.get(rows.SANDBOXES, self._namespace, id)
        if sandbox is None:
            raise self._missing(id)
        return sandbox

    def list(self) -> list[Sandbox]:
        return [row for _, row in self._ledger.rows(rows.SANDBOXES, self._namespace)]

    def create(self, sandbox: Sandbox) -> Sandbox:
        _validate(sandbox)
        now = time.time_ns()
        new = replace(sandbox, labels=labels.stored(sandbox.labels), created_at=now, updated_at=now)

        def create(change: Change) -> None:
            if change.has(rows.SANDBOXES, self._namespace, new.id):
                raise exists("sandbox", new.id)
            change.enter(self._namespace)
            change.put(rows.SANDBOXES, (self._namespace, new.id), new)

        self._ledger.change(create)
        return new

    def update(self, sandbox: Sandbox, paths: Sequence[str] = ()) -> Sandbox:
        def update(change: Change) -> Sandbox:
            old = change.get(rows.SANDBOXES, self._namespace, sandbox.id)
            if old is None:
                raise self._missing(sandbox.id)
            if not paths and old.runtime.name != sandbox.runtime.name:
                raise errors.InvalidArgument("sandbox.Runtime.Name field is immutable: invalid argument")
            masks.check(paths, _FIELDS, f'sandbox "{sandbox.id}"')
            new = replace(_merge(old, sandbox, paths or _REPLACED), updated_at=time.time_ns())
            _validate(new)
            change.put(rows.SANDBOXES, (self._namespace, new.id), new)
            return new

        return self._ledger.change(update)

    def delete(self, id: str) -> None:
        def delete(change: Change) -> None:
            if change.delete(rows.SANDBOXES, self._namespace, id) is None:
                raise self._missing(id)

        self._ledger.change(delete)

    def _missing(self, id: str) -> errors.NotFound:
        return errors.NotFound(f'sandbox "{id}" in namespace "{self._namespace}": not found')


def _merge(old: Sandbox, new: Sandbox, paths: Sequence[str]) -> Sandbox:
    return replace(
        old,
        labels=masks.update_map(old.labels, new.labels, paths),
        extensions=masks.update_map(old.extensions, new.extensions, paths, "extensions"),
        spec=new.spec if "spec" in paths else old.spec,
        runtime=new.runtime if "runtime" in paths else old.runtime,
    )


def _validate(sandbox: Sandbox) -> None:
    """No more than containerd asks for: labels of any length, a runtime without a name, no spec."""
    identifiers.validate(sandbox.id, "sandbox ID")
    if "" in sandbox.extensions:
        raise errors.InvalidArgument("sandbox.Extension keys must not be zero-length: invalid argument")
