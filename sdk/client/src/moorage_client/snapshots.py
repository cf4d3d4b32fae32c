"""The Snapshots service, one snapshotter at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

from google.protobuf.field_mask_pb2 import FieldMask

from moorage_api.convert import mounts
from moorage_api.convert.snapshots import from_message
from moorage_api.messages import snapshots
from moorage_client.calls import Caller
from moorage_sdk.mounts import Mount
from moorage_sdk.snapshots import Info, Usage

SERVICE = "containerd.services.snapshots.v1.Snapshots"


class Snapshots:
    """Raises errors.InvalidArgument in every method when the daemon has no such snapshotter."""

    def __init__(self, caller: Caller, snapshotter: str) -> None:
        self._caller = caller
        self.snapshotter = snapshotter

    async def stat(self, key: str) -> Info:
        """Raises errors.NotFound."""
        request = snapshots.StatSnapshotRequest(snapshotter=self.snapshotter, key=key)
        return from_message((await self._caller.call(SERVICE, "Stat", request)).info)

    async def update(self, info: Info, paths: Sequence[str] = ()) -> Info:
        """Change labels. Raises errors.NotFound, errors.InvalidArgument."""
        request = snapshots.UpdateSnapshotRequest(
            snapshotter=self.snapshotter,
            info=snapshots.Info(name=info.name, labels=info.labels),
            update_mask=FieldMask(paths=paths),
        )
        return from_message((await self._caller.call(SERVICE, "Update", request)).info)

    async def usage(self, key: str) -> Usage:
        """Raises errors.NotFound."""
        request = snapshots.UsageRequest(snapshotter=self.snapshotter, key=key)
        answer = await self._caller.call(SERVICE, "Usage", request)
        return Usage(answer.size, answer.inodes)

    async def mounts(self, key: str) -> tuple[Mount, ...]:
        """Of an active snapshot or a view. Raises errors.NotFound."""
        request = snapshots.MountsRequest(snapshotter=self.snapshotter, key=key)
        return mounts.from_messages((await self._caller.call(SERVICE, "Mounts", request)).mounts)

    async def prepare(self, key: str, parent: str = "", labels: Mapping[str, str] | None = None) -> tuple[Mount, ...]:
        """Make an active snapshot. Raises errors.AlreadyExists, errors.NotFound for the parent."""
        request = snapshots.PrepareSnapshotRequest(
            snapshotter=self.snapshotter, key=key, parent=parent, labels=labels or {}
        )
        return mounts.from_messages((await self._caller.call(SERVICE, "Prepare", request)).mounts)

    async def view(self, key: str, parent: str = "", labels: Mapping[str, str] | None = None) -> tuple[Mount, ...]:
        """Make a read-only view. Raises as ``prepare``."""
        request = snapshots.ViewSnapshotRequest(
            snapshotter=self.snapshotter, key=key, parent=parent, labels=labels or {}
        )
        return mounts.from_messages((await self._caller.call(SERVICE, "View", request)).mounts)

    async def commit(self, name: str, key: str, labels: Mapping[str, str] | None = None, parent: str = "") -> None:
        """``parent`` gives a parent to a snapshot that has none, which containerd knows since 2.2.

        Raises errors.AlreadyExists for the name, errors.NotFound for the key, errors.Unimplemented for a ``parent``
        that the snapshotter cannot give.
        """
        request = snapshots.CommitSnapshotRequest(
            snapshotter=self.snapshotter, name=name, key=key, labels=labels or {}, parent=parent
        )
        await self._caller.call(SERVICE, "Commit", request)

    async def remove(self, key: str) -> None:
        """Raises errors.NotFound, errors.FailedPrecondition for a snapshot with children."""
        request = snapshots.RemoveSnapshotRequest(snapshotter=self.snapshotter, key=key)
        await self._caller.call(SERVICE, "Remove", request)

    async def walk(self, filters: Sequence[str] = ()) -> AsyncIterator[Info]:
        """All snapshots, by name."""
        request = snapshots.ListSnapshotsRequest(snapshotter=self.snapshotter, filters=filters)
        async for answer in self._caller.receive(SERVICE, "List", request):
            for message in answer.info:
                yield from_message(message)
