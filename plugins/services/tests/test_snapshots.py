"""The snapshots service."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from moorage_api.messages import snapshots as api
from moorage_sdk import errors
from moorage_sdk.snapshots import Info
from moorage_services.pools import Pools
from moorage_services.snapshots import SnapshotService
from moorage_testkit.fakes.metadata import MemoryMetadata
from moorage_testkit.fakes.snapshotters import DirectorySnapshotter


@pytest.fixture
def service(tmp_path: Path) -> Iterator[SnapshotService]:
    pools = Pools("test", 4)
    yield SnapshotService(MemoryMetadata({"plain": DirectorySnapshotter(tmp_path / "s")}), pools)
    pools.close()


def test_a_life(service: SnapshotService, call: Callable[..., Any]) -> None:
    async def run() -> None:
        at: dict[str, Any] = {"snapshotter": "plain"}
        prepared = await service.prepare(api.PrepareSnapshotRequest(**at, key="k", labels={"l": "v"}), call())
        assert len(prepared.mounts) == 1
        assert (await service.mounts(api.MountsRequest(**at, key="k"), call())).mounts == prepared.mounts
        info = (await service.stat(api.StatSnapshotRequest(**at, key="k"), call())).info
        assert (info.name, info.kind, dict(info.labels)) == ("k", api.ACTIVE, {"l": "v"})
        await service.commit(api.CommitSnapshotRequest(**at, name="n", key="k"), call())
        info = (await service.stat(api.StatSnapshotRequest(**at, key="n"), call())).info
        assert (info.kind, dict(info.labels)) == (api.COMMITTED, {})
        viewed = await service.view(api.ViewSnapshotRequest(**at, key="v", parent="n"), call())
        assert "ro" in viewed.mounts[0].options
        with pytest.raises(errors.FailedPrecondition):
            await service.remove(api.RemoveSnapshotRequest(**at, key="n"), call())
        usage = await service.usage(api.UsageRequest(**at, key="n"), call())
        assert usage.inodes >= 1
        for key in ("v", "n"):
            await service.remove(api.RemoveSnapshotRequest(**at, key=key), call())
        with pytest.raises(errors.NotFound):
            await service.stat(api.StatSnapshotRequest(**at, key="n"), call())

    asyncio.run(run())


@pytest.mark.parametrize("waits", [True, False])
def test_only_who_may_wait_is_asked_on_a_pool(tmp_path: Path, call: Callable[..., Any], waits: bool) -> None:
    asked: list[threading.Thread] = []

    class Watched(DirectorySnapshotter):
        stat_waits = waits

        def stat(self, key: str) -> Info:
            asked.append(threading.current_thread())
            return super().stat(key)

    async def run(pools: Pools) -> None:
        service = SnapshotService(MemoryMetadata({"plain": Watched(tmp_path / "s")}), pools)
        await service.prepare(api.PrepareSnapshotRequest(snapshotter="plain", key="k"), call())
        asked.clear()
        assert (await service.stat(api.StatSnapshotRequest(snapshotter="plain", key="k"), call())).info.name == "k"

    with closing(Pools("test", 4)) as pools:
        asyncio.run(run(pools))
    assert asked and (threading.main_thread() in asked) is not waits


@pytest.mark.parametrize("name", ["", "unknown"])
def test_an_unknown_snapshotter_is_an_invalid_argument(
    service: SnapshotService, call: Callable[..., Any], name: str
) -> None:
    async def run() -> None:
        for refused in (
            service.prepare(api.PrepareSnapshotRequest(snapshotter=name, key="k"), call()),
            service.list(api.ListSnapshotsRequest(snapshotter=name), call()),
        ):
            with pytest.raises(errors.InvalidArgument):
                await refused

    asyncio.run(run())


def test_updates_follow_the_mask(service: SnapshotService, call: Callable[..., Any]) -> None:
    async def run() -> None:
        await service.prepare(
            api.PrepareSnapshotRequest(snapshotter="plain", key="k", labels={"a": "1", "b": "2"}), call()
        )
        request = api.UpdateSnapshotRequest(
            snapshotter="plain",
            info=api.Info(name="k", labels={"a": "3"}),
            update_mask=FieldMask(paths=["labels.a", "labels.b"]),
        )
        assert dict((await service.update(request, call())).info.labels) == {"a": "3"}
        request.update_mask.paths[:] = ["parent"]
        with pytest.raises(errors.InvalidArgument):
            await service.update(request, call())

    asyncio.run(run())


def test_lists_are_filtered(service: SnapshotService, call: Callable[..., Any]) -> None:
    async def run() -> None:
        for key in ("b", "a"):
            await service.prepare(api.PrepareSnapshotRequest(snapshotter="plain", key=key), call())
        await service.commit(api.CommitSnapshotRequest(snapshotter="plain", name="c", key="b"), call())

        async def names(*filters: str) -> list[str]:
            made = call()
            await service.list(api.ListSnapshotsRequest(snapshotter="plain", filters=filters), made)
            return [info.name for message in made.wire.sent for info in message.info]

        assert await names() == ["a", "c"]
        assert await names("kind==committed") == ["c"]
        assert await names("kind==active", "name==c") == ["a", "c"]

    asyncio.run(run())


def test_cleanup_is_refused_as_in_containerd(service: SnapshotService, call: Callable[..., Any]) -> None:
    cleanup = service.handlers()["Cleanup"]
    with pytest.raises(errors.Unimplemented, match=r": not implemented$"):
        asyncio.run(cleanup(api.CleanupRequest(snapshotter="plain"), call()))
    with pytest.raises(errors.InvalidArgument):
        asyncio.run(cleanup(api.CleanupRequest(snapshotter="unknown"), call()))
