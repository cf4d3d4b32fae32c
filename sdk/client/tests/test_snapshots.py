from collections.abc import AsyncIterator
from typing import Any

from google.protobuf.empty_pb2 import Empty

from moorage_api.convert import timestamps
from moorage_api.messages import snapshots, types
from moorage_client.clients import Client
from moorage_client.snapshots import SERVICE
from moorage_sdk.mounts import Mount
from moorage_sdk.snapshots import Info, Kind, Usage

MOUNT = Mount("overlay", "overlay", ("lowerdir=b:a", "upperdir=u"))


def mounts() -> list[types.Mount]:
    return [types.Mount(type="overlay", source="overlay", options=MOUNT.options)]


def test_all_methods(talk: Any) -> None:
    log: list[Any] = []

    def note(request: Any, *fields: str) -> None:
        assert request.snapshotter == "native"
        log.append(tuple(getattr(request, field) for field in fields))

    async def stat(request: Any, context: Any) -> Any:
        note(request, "key")
        info = snapshots.Info(name=request.key, parent="p", kind=snapshots.ACTIVE, created_at=timestamps.to_message(9))
        return snapshots.StatSnapshotResponse(info=info)

    async def update(request: Any, context: Any) -> Any:
        assert list(request.update_mask.paths) == ["labels.a"]
        return snapshots.UpdateSnapshotResponse(info=request.info)

    async def usage(request: Any, context: Any) -> Any:
        return snapshots.UsageResponse(size=10, inodes=2)

    async def get_mounts(request: Any, context: Any) -> Any:
        return snapshots.MountsResponse(mounts=mounts())

    async def prepare(request: Any, context: Any) -> Any:
        note(request, "key", "parent")
        assert dict(request.labels) == {"l": "1"}
        return snapshots.PrepareSnapshotResponse(mounts=mounts())

    async def view(request: Any, context: Any) -> Any:
        note(request, "key", "parent")
        return snapshots.ViewSnapshotResponse(mounts=mounts())

    async def commit(request: Any, context: Any) -> Empty:
        note(request, "name", "key", "parent")
        return Empty()

    async def remove(request: Any, context: Any) -> Empty:
        note(request, "key")
        return Empty()

    async def list_(request: Any, context: Any) -> AsyncIterator[Any]:
        yield snapshots.ListSnapshotsResponse(info=[snapshots.Info(name="a"), snapshots.Info(name="b")])
        yield snapshots.ListSnapshotsResponse(info=[snapshots.Info(name="c", kind=snapshots.COMMITTED)])

    async def work(client: Client) -> None:
        native = client.snapshots("native")
        assert await native.stat("k") == Info(Kind.ACTIVE, "k", "p", created_at=9)
        assert (await native.update(Info(Kind.ACTIVE, "k", labels={"a": "b"}), ["labels.a"])).labels == {"a": "b"}
        assert await native.usage("k") == Usage(10, 2)
        assert await native.mounts("k") == (MOUNT,)
        assert await native.prepare("k", "p", {"l": "1"}) == (MOUNT,)
        assert await native.view("v") == (MOUNT,)
        await native.commit("n", "k")
        await native.commit("n", "k", parent="p")
        await native.remove("n")
        assert [info.name async for info in native.walk()] == ["a", "b", "c"]

    handlers = {
        "Stat": stat,
        "Update": update,
        "Usage": usage,
        "Mounts": get_mounts,
        "Prepare": prepare,
        "View": view,
        "Commit": commit,
        "Remove": remove,
        "List": list_,
    }
    talk({SERVICE: handlers}, work)
    assert log == [("k",), ("k", "p"), ("v", ""), ("n", "k", ""), ("n", "k", "p"), ("n",)]
