from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as Packed

from moorage_api.messages import diff, types
from moorage_proxy.differs import SERVICE, ProxyDiffer
from moorage_proxy.peers import Peer
from moorage_sdk import errors
from moorage_sdk.descriptors import OCI_LAYER_GZIP, Descriptor
from moorage_sdk.mounts import Mount
from moorage_sdk.namespaces import within
from moorage_testkit.fakes.content import MemoryStore

LAYER = Descriptor(OCI_LAYER_GZIP, "sha256:" + "a" * 64, 7, {"k": "v"})
PLAIN = types.Descriptor(media_type="m", digest="sha256:" + "b" * 64, size=9)
MOUNT = Mount("bind", "/x", ("rbind",))


class Script:
    def __init__(self) -> None:
        self.asked: list[Any] = []

    async def apply(self, request: Any, context: Any) -> Any:
        self.asked.append(request)
        if request.diff.media_type == "strange":
            raise errors.Unimplemented("layer: not implemented")
        return diff.ApplyResponse(applied=PLAIN)

    async def diff(self, request: Any, context: Any) -> Any:
        self.asked.append(request)
        return diff.DiffResponse(diff=PLAIN)


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def served(script: Script, serve: Callable[..., Any]) -> Any:
    return serve({SERVICE: {"Apply": script.apply, "Diff": script.diff}})


@pytest.fixture
def differ(served: Any, connect: Callable[[str], Peer]) -> ProxyDiffer:
    return ProxyDiffer(connect(served.address))


def test_a_layer_is_applied_by_the_peer(differ: ProxyDiffer, script: Script, served: Any) -> None:
    payload = Packed(type_url="t", value=b"key")
    applied = within(differ, "web").apply(
        LAYER, [MOUNT], MemoryStore(), sync=True, payloads={"id": payload.SerializeToString()}
    )
    assert applied == Descriptor("m", "sha256:" + "b" * 64, 9)
    assert script.asked == [
        diff.ApplyRequest(
            diff=types.Descriptor(media_type=LAYER.media_type, digest=LAYER.digest, size=7, annotations={"k": "v"}),
            mounts=[types.Mount(type="bind", source="/x", options=["rbind"])],
            payloads={"id": payload},
            sync_fs=True,
        )
    ]
    assert served.headers["Apply"]["containerd-namespace"] == "web"


def test_directories_are_compared_by_the_peer(differ: ProxyDiffer, script: Script) -> None:
    differ.compare([], [MOUNT], MemoryStore(), media_type="m", ref="r", labels={"a": "b"}, source_date_epoch=0)
    differ.compare([MOUNT], [], MemoryStore())
    first, second = script.asked
    assert (first.media_type, first.ref, dict(first.labels)) == ("m", "r", {"a": "b"})
    assert first.HasField("source_date_epoch")
    assert not second.HasField("source_date_epoch")
    assert (len(first.left), len(first.right), len(second.left), len(second.right)) == (0, 1, 1, 0)


def test_another_differ_is_asked_for_what_the_peer_does_not_know(differ: ProxyDiffer) -> None:
    with pytest.raises(errors.Unimplemented):
        differ.apply(Descriptor("strange", LAYER.digest, 7), [], MemoryStore())
