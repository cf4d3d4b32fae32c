"""What the manager remembers: activations by namespace and name, and the ends of those that are not undone yet.

Both say what may be mounted, before it is: a number that names a folder, and the type that each mount in it has. So
whatever dies in the middle, the next daemon knows what to undo. The folder is the number, the mounts in it are named
from 0 on.
"""

from __future__ import annotations

import json
import logging
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from moorage_kv import ReadTxn, Store, WriteTxn
from moorage_sdk import errors
from moorage_sdk.activations import Activation, ActiveMount
from moorage_sdk.mounts import Mount
from moorage_sys import paths

log = logging.getLogger(__name__)

_ACTIVATIONS, _ENDINGS = "activations", "endings"
_VERSION = b"\x01"
_NUMBER = struct.Struct(">Q")


@dataclass(frozen=True)
class Record:
    """``types`` are those of the mounts in the folder. ``activation`` says what was done once ``complete``."""

    namespace: str
    number: int
    types: tuple[str, ...]
    activation: Activation
    lease: str = ""
    complete: bool = False


@dataclass(frozen=True)
class Ending:
    """Mounts that are to be undone: the folder's number and the types of what may be in it."""

    number: int
    types: tuple[str, ...] = ()


class Records:
    """Every method may be called from every thread."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @classmethod
    def open(cls, path: Path) -> Records:
        """Raises as ``Store.open``."""
        return cls(Store.open(path, tables=(_ACTIVATIONS, _ENDINGS), map_size=1 << 28))

    @classmethod
    def salvage(cls, path: Path) -> Records:
        """As ``open``, but what is damaged is set aside, beside it: mounts without a record can still be undone."""
        try:
            return cls.open(path)
        except errors.DataLoss as error:
            aside = path.with_name(f"{path.name}.damaged")
            log.error("records of mounts: set aside as %s, all mounts are undone: %s", aside, error)
            paths.remove_tree(aside)
            path.rename(aside)
            return cls.open(path)

    def close(self) -> None:
        """Calling it again does nothing."""
        self._store.close()

    def begin(self, namespace: str, name: str, types: tuple[str, ...], labels: Mapping[str, str], lease: str) -> Record:
        """Note what is about to be mounted. Raises errors.AlreadyExists."""

        def write(txn: WriteTxn) -> Record:
            if txn.table(_ACTIVATIONS).get(_key(namespace, name)) is not None:
                raise errors.AlreadyExists(f'mount "{name}": already exists')
            made = Record(namespace, txn.next("mounts"), types, Activation(name, labels=labels), lease)
            txn.table(_ACTIVATIONS).put(_key(namespace, name), _encode(made))
            return made

        return self._store.write(write)

    def complete(self, record: Record, activation: Activation) -> None:
        """Note that all of it is mounted."""
        done = replace(record, activation=activation, complete=True)
        key = _key(record.namespace, activation.name)
        self._store.write(lambda txn: txn.table(_ACTIVATIONS).put(key, _encode(done)))

    def end(self, record: Record) -> Ending:
        """Forget an activation and note that its mounts are to be undone. Raises errors.NotFound."""
        key = _key(record.namespace, record.activation.name)
        ending = Ending(record.number, record.types)

        def write(txn: WriteTxn) -> None:
            found = txn.table(_ACTIVATIONS).get(key)
            if found is None or _decode(key, found).number != record.number:
                raise missing(record.activation.name)
            txn.table(_ACTIVATIONS).delete(key)
            txn.table(_ENDINGS).put(_NUMBER.pack(ending.number), json.dumps(ending.types).encode("ascii"))

        self._store.write(write)
        return ending

    def ended(self, ending: Ending) -> None:
        """Forget an ending: everything is undone."""
        self._store.write(lambda txn: txn.table(_ENDINGS).delete(_NUMBER.pack(ending.number)))

    def skip(self, number: int) -> None:
        """Never hand out this number, nor one below."""

        def write(txn: WriteTxn) -> None:
            while txn.counter("mounts") < number:
                txn.next("mounts")

        self._store.write(write)

    def get(self, namespace: str, name: str) -> Record | None:
        with self._store.read() as txn:
            return _get(txn, _key(namespace, name))

    def all(self, namespace: str = "") -> list[Record]:
        """Those of a namespace by name, or of all."""
        prefix = _key(namespace, "") if namespace else b""
        with self._store.read() as txn:
            return [_decode(key, value) for key, value in txn.table(_ACTIVATIONS).scan(prefix)]

    def endings(self) -> list[Ending]:
        with self._store.read() as txn:
            rows = list(txn.table(_ENDINGS).scan())
        return [Ending(_NUMBER.unpack(key)[0], tuple(json.loads(value))) for key, value in rows]


def missing(name: str) -> errors.NotFound:
    return errors.NotFound(f'mount "{name}": not found')


def _key(namespace: str, name: str) -> bytes:
    return namespace.encode() + b"\0" + name.encode("utf-8", "surrogateescape")


def _get(txn: ReadTxn, key: bytes) -> Record | None:
    value = txn.table(_ACTIVATIONS).get(key)
    return None if value is None else _decode(key, value)


def _encode(record: Record) -> bytes:
    activation = record.activation
    fields = {
        "number": record.number,
        "types": record.types,
        "lease": record.lease,
        "complete": record.complete,
        "labels": dict(activation.labels),
        "active": [_from_active(each) for each in activation.active],
        "system": [_from_mount(each) for each in activation.system],
    }
    return _VERSION + json.dumps(fields, separators=(",", ":")).encode("ascii")


def _decode(key: bytes, value: bytes) -> Record:
    raw_namespace, _, raw_name = key.partition(b"\0")
    name = raw_name.decode("utf-8", "surrogateescape")
    if value[:1] != _VERSION:
        raise errors.DataLoss(f'mount "{name}": record of unknown version {value[:1].hex()}: data loss')
    fields = json.loads(value[1:])
    activation = Activation(
        name,
        tuple(map(_to_active, fields["active"])),
        tuple(map(_to_mount, fields["system"])),
        fields["labels"],
    )
    types = tuple(fields["types"])
    return Record(raw_namespace.decode(), fields["number"], types, activation, fields["lease"], fields["complete"])


def _from_mount(mount: Mount) -> list[Any]:
    return [mount.type, mount.source, mount.target, *mount.options]


def _to_mount(fields: list[Any]) -> Mount:
    return Mount(fields[0], fields[1], tuple(fields[3:]), fields[2])


def _from_active(active: ActiveMount) -> dict[str, Any]:
    return {
        "mount": _from_mount(active.mount),
        "at": active.mounted_at,
        "point": active.mount_point,
        "data": dict(active.data),
    }


def _to_active(fields: dict[str, Any]) -> ActiveMount:
    return ActiveMount(_to_mount(fields["mount"]), fields["point"], fields["at"], fields["data"])
