import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.empty_pb2 import Empty

from moorage_api.messages import snapshots, types
from moorage_proxy import snapshotters
from moorage_proxy.peers import Peer
from moorage_proxy.snapshotters import SERVICE, ProxySnapshotter
from moorage_sdk import errors
from moorage_sdk.mounts import Mount
from moorage_sdk.namespaces import within
from moorage_sdk.snapshots import Info, Kind, Usage


class Script:
    """A peer that answers the same always, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}

    def handlers(self) -> dict[str, Callable[..., Any]]:
        mounts = [types.Mount(type="bind", source="/x", target="sub", options=["rbind", "ro"])]
        info = snapshots.Info(name="n", parent="p", kind=snapshots.COMMITTED, labels={"a": "b"})
        answers = {
            "Prepare": snapshots.PrepareSnapshotResponse(mounts=mounts),
            "View": snapshots.ViewSnapshotResponse(mounts=mounts),
            "Mounts": snapshots.MountsResponse(mounts=mounts),
            "Commit": Empty(),
            "Remove": Empty(),
            "Stat": snapshots.StatSnapshotResponse(info=info),
            "Update": snapshots.UpdateSnapshotResponse(info=info),
            "Usage": snapshots.UsageResponse(size=5, inodes=2),
            "Cleanup": Empty(),
        }
        return {method: self.answering(method, answer) for method, answer in answers.items()} | {"List": self.list}

    def answering(self, method: str, answer: Any) -> Callable[..., Any]:
        async def handle(request: Any, context: Any) -> Any:
            self.asked[method] = request
            return answer

        return handle

    async def list(self, request: Any, context: Any) -> None:
        self.asked["List"] = request
        for names in (["c", "a"], ["b"]):
            await context.write(snapshots.ListSnapshotsResponse(info=[snapshots.Info(name=name) for name in names]))


MOUNTS = (Mount("bind", "/x", ("rbind", "ro"), "sub"),)
INFO = Info(Kind.COMMITTED, "n", "p", {"a": "b"})


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def served(serve: Callable[..., Any], script: Script) -> Any:
    return serve({SERVICE: script.handlers()})


@pytest.fixture
def snapshotter(served: Any, connect: Callable[[str], Peer]) -> ProxySnapshotter:
    return ProxySnapshotter(connect(served.address), "far")


def test_everything_is_asked_for_by_the_plugins_name(snapshotter: ProxySnapshotter, script: Script) -> None:
    assert snapshotter.prepare("k", "p", {"l": "1"}) == MOUNTS
    assert snapshotter.view("k", "p") == MOUNTS
    assert snapshotter.mounts("k") == MOUNTS
    assert snapshotter.stat("k") == INFO
    assert snapshotter.update(Info(Kind.UNKNOWN, "n", labels={"a": "b"}), ("labels.a",)) == INFO
    assert snapshotter.usage("k") == Usage(5, 2)
    snapshotter.commit("n", "k", {"l": "2"}, "q")
    snapshotter.remove("k")
    snapshotter.cleanup()
    assert [info.name for info in snapshotter.walk()] == ["a", "b", "c"]
    assert {request.snapshotter for request in script.asked.values()} == {"far"}
    assert script.asked["Prepare"] == snapshots.PrepareSnapshotRequest(
        snapshotter="far", key="k", parent="p", labels={"l": "1"}
    )
    assert script.asked["Commit"] == snapshots.CommitSnapshotRequest(
        snapshotter="far", name="n", key="k", parent="q", labels={"l": "2"}
    )
    assert list(script.asked["Update"].update_mask.paths) == ["labels.a"]


def test_calls_are_made_for_the_namespace_of_the_client(snapshotter: ProxySnapshotter, served: Any) -> None:
    within(snapshotter, "web").stat("k")
    assert served.headers["Stat"]["containerd-namespace"] == "web"


def test_the_collectors_calls_are_made_for_the_namespace_in_the_key(snapshotter: ProxySnapshotter, served: Any) -> None:
    snapshotter.remove("web/12/k/with/slashes")
    assert served.headers["Remove"]["containerd-namespace"] == "web"
    list(snapshotter.walk())
    assert served.headers["List"]["containerd-namespace"] == "default"


def test_a_peer_that_cleans_nothing_has_cleaned(served: Any, connect: Callable[[str], Peer]) -> None:
    del served.services[SERVICE]["Cleanup"]
    served.stop()
    served.start()
    ProxySnapshotter(connect(served.address), "far").cleanup()


def test_a_remote_snapshotter_says_that_it_has_the_layer(served: Any, connect: Callable[[str], Peer]) -> None:
    async def there(request: Any, context: Any) -> Any:
        raise errors.AlreadyExists(f'target snapshot "{request.labels["containerd.io/snapshot.ref"]}": already exists')

    served.services[SERVICE]["Prepare"] = there
    served.stop()
    served.start()
    with pytest.raises(errors.AlreadyExists, match=r'^target snapshot "sha256:a": already exists$'):
        ProxySnapshotter(connect(served.address), "far").prepare("k", "", {"containerd.io/snapshot.ref": "sha256:a"})


def test_the_collector_does_not_wait_for_ever(
    served: Any, connect: Callable[[str], Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(request: Any, context: Any) -> None:
        await asyncio.sleep(600)

    served.services[SERVICE]["List"] = hang
    served.stop()
    served.start()
    monkeypatch.setattr(snapshotters, "PATIENCE", 0.3)
    with pytest.raises(errors.DeadlineExceeded, match=r"^proxied plugin at .*: context deadline exceeded$"):
        ProxySnapshotter(connect(served.address), "far").walk()
