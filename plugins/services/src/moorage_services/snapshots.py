"""``containerd.services.snapshots.v1``.

Cleanup is never implemented, as in containerd's own daemon, whose metadata hide that of the snapshotter
(core/metadata/snapshot.go): removals are the collector's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from google.protobuf.empty_pb2 import Empty

from moorage_api.convert import mounts
from moorage_api.convert.snapshots import from_message, to_message
from moorage_api.messages import snapshots
from moorage_sdk import errors
from moorage_sdk.metadata import Metadata
from moorage_sdk.snapshots import Info, Snapshotter
from moorage_services import lookups
from moorage_services.calls import Call, Handler, selected
from moorage_services.pools import Pool, Pools


class Addressed(Protocol):
    """What all requests have: the snapshotter's name, which may be empty in none of them."""

    snapshotter: str


class SnapshotService:
    name = "containerd.services.snapshots.v1.Snapshots"

    def __init__(self, metadata: Metadata, pools: Pools) -> None:
        self._metadata = metadata
        self._pools = pools

    def handlers(self) -> Mapping[str, Handler]:
        return {
            "Prepare": self.prepare,
            "View": self.view,
            "Mounts": self.mounts,
            "Commit": self.commit,
            "Remove": self.remove,
            "Stat": self.stat,
            "Update": self.update,
            "List": self.list,
            "Usage": self.usage,
            "Cleanup": self.cleanup,
        }

    async def prepare(self, request: snapshots.PrepareSnapshotRequest, call: Call) -> snapshots.PrepareSnapshotResponse:
        store = self._store(request, call)
        plan = await self._pool(request).run(store.prepare, request.key, request.parent, dict(request.labels))
        return snapshots.PrepareSnapshotResponse(mounts=mounts.to_messages(plan))

    async def view(self, request: snapshots.ViewSnapshotRequest, call: Call) -> snapshots.ViewSnapshotResponse:
        store = self._store(request, call)
        plan = await self._pool(request).run(store.view, request.key, request.parent, dict(request.labels))
        return snapshots.ViewSnapshotResponse(mounts=mounts.to_messages(plan))

    async def mounts(self, request: snapshots.MountsRequest, call: Call) -> snapshots.MountsResponse:
        plan = await self._pool(request).run(self._store(request, call).mounts, request.key)
        return snapshots.MountsResponse(mounts=mounts.to_messages(plan))

    async def commit(self, request: snapshots.CommitSnapshotRequest, call: Call) -> Empty:
        store = self._store(request, call)
        await self._pool(request).run(store.commit, request.name, request.key, dict(request.labels), request.parent)
        return Empty()

    async def remove(self, request: snapshots.RemoveSnapshotRequest, call: Call) -> Empty:
        await self._pool(request).run(self._store(request, call).remove, request.key)
        return Empty()

    async def stat(self, request: snapshots.StatSnapshotRequest, call: Call) -> snapshots.StatSnapshotResponse:
        store = self._store(request, call)
        waits = store.stat_waits
        info = await self._pool(request).run(store.stat, request.key) if waits else store.stat(request.key)
        return snapshots.StatSnapshotResponse(info=to_message(info))

    async def update(self, request: snapshots.UpdateSnapshotRequest, call: Call) -> snapshots.UpdateSnapshotResponse:
        store = self._store(request, call)
        info = await self._pool(request).run(store.update, from_message(request.info), tuple(request.update_mask.paths))
        return snapshots.UpdateSnapshotResponse(info=to_message(info))

    async def list(self, request: snapshots.ListSnapshotsRequest, call: Call) -> None:
        store = self._store(request, call)
        # All of it in one go on the pool: a walk kept open for a slow reader would pin old pages of the store.
        found = await self._pool(request).run(lambda: selected(store.walk(), request.filters, lookups.snapshot))
        await call.send_batches(found, _batch)

    async def usage(self, request: snapshots.UsageRequest, call: Call) -> snapshots.UsageResponse:
        usage = await self._pool(request).run(self._store(request, call).usage, request.key)
        return snapshots.UsageResponse(size=usage.size, inodes=usage.inodes)

    async def cleanup(self, request: snapshots.CleanupRequest, call: Call) -> Empty:
        self._store(request, call)
        raise errors.Unimplemented("snapshotter does not implement Cleanup method: not implemented")

    def _pool(self, request: Addressed) -> Pool:
        """A snapshotter's own: one that hangs, as a process elsewhere may, must not hold up the others."""
        return self._pools.named(request.snapshotter)

    def _store(self, request: Addressed, call: Call) -> Snapshotter:
        return call.view(self._metadata).snapshotter(request.snapshotter)


def _batch(infos: Sequence[Info]) -> snapshots.ListSnapshotsResponse:
    return snapshots.ListSnapshotsResponse(info=map(to_message, infos))
