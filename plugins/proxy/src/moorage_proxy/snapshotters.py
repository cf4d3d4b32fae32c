"""A snapshotter in another process, as ``core/snapshots/proxy`` in containerd v2.3 speaks to one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Self

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from moorage_api.convert import mounts
from moorage_api.convert.snapshots import from_message, to_message
from moorage_api.messages import snapshots
from moorage_proxy.peers import Peer
from moorage_proxy.scopes import NOBODY, Scope
from moorage_sdk import errors
from moorage_sdk.mounts import Mount
from moorage_sdk.snapshots import Info, Snapshotter, Usage

SERVICE = "containerd.services.snapshots.v1.Snapshots"


PATIENCE = 60.0
"""Seconds for a list that no client waits for. The collector asks for one before anything else, and for those of other
snapshotters after it."""


class ProxySnapshotter(Snapshotter):
    """``name`` is what the peer is asked for."""

    def __init__(self, peer: Peer, name: str, scope: Scope = NOBODY) -> None:
        self._peer = peer
        self._name = name
        self._scope = scope

    def within(self, namespace: str) -> Self:
        """``moorage_sdk.namespaces.Namespaced``."""
        return type(self)(self._peer, self._name, self._scope.within(namespace))

    def stat(self, key: str) -> Info:
        answer = self._call("Stat", snapshots.StatSnapshotRequest(snapshotter=self._name, key=key), key)
        return from_message(answer.info)

    def update(self, info: Info, paths: Sequence[str] = ()) -> Info:
        mask = FieldMask(paths=paths)
        request = snapshots.UpdateSnapshotRequest(snapshotter=self._name, info=to_message(info), update_mask=mask)
        return from_message(self._call("Update", request, info.name).info)

    def usage(self, key: str) -> Usage:
        answer = self._call("Usage", snapshots.UsageRequest(snapshotter=self._name, key=key), key)
        return Usage(answer.size, answer.inodes)

    def mounts(self, key: str) -> tuple[Mount, ...]:
        answer = self._call("Mounts", snapshots.MountsRequest(snapshotter=self._name, key=key), key)
        return mounts.from_messages(answer.mounts)

    def prepare(self, key: str, parent: str = "", labels: Mapping[str, str] | None = None) -> tuple[Mount, ...]:
        request = snapshots.PrepareSnapshotRequest(snapshotter=self._name, key=key, parent=parent, labels=labels or {})
        return mounts.from_messages(self._call("Prepare", request, key).mounts)

    def view(self, key: str, parent: str = "", labels: Mapping[str, str] | None = None) -> tuple[Mount, ...]:
        request = snapshots.ViewSnapshotRequest(snapshotter=self._name, key=key, parent=parent, labels=labels or {})
        return mounts.from_messages(self._call("View", request, key).mounts)

    def commit(self, name: str, key: str, labels: Mapping[str, str] | None = None, parent: str = "") -> None:
        request = snapshots.CommitSnapshotRequest(
            snapshotter=self._name, name=name, key=key, labels=labels or {}, parent=parent
        )
        self._call("Commit", request, key)

    def remove(self, key: str) -> None:
        self._call("Remove", snapshots.RemoveSnapshotRequest(snapshotter=self._name, key=key), key)

    def walk(self) -> Iterator[Info]:
        request = snapshots.ListSnapshotsRequest(snapshotter=self._name)
        # All of it at once: the peer may hold a transaction open for as long as somebody reads. And peers promise no
        # order.
        answers = self._peer.receive(SERVICE, "List", request, self._scope, PATIENCE)
        found = [from_message(info) for answer in answers for info in answer.info]
        return iter(sorted(found, key=lambda info: info.name))

    def cleanup(self) -> None:
        """``moorage_sdk.snapshots.Cleaner``. Many peers remove at once and have nothing to offer here."""
        with suppress(errors.Unimplemented):
            self._peer.call(SERVICE, "Cleanup", snapshots.CleanupRequest(snapshotter=self._name), self._scope)

    def close(self) -> None:
        """Nothing to do: the peer is closed by whoever opened it."""

    def _call(self, method: str, request: Message, key: str) -> Any:
        return self._peer.call(SERVICE, method, request, self._scope.of(key))
