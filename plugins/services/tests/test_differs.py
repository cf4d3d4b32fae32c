"""The diff service."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as Any_
from google.protobuf.timestamp_pb2 import Timestamp

from moorage_api.messages import diff as api
from moorage_api.messages import types
from moorage_sdk import errors
from moorage_sdk.content import ContentStore
from moorage_sdk.descriptors import OCI_LAYER, OCI_LAYER_GZIP, Descriptor
from moorage_sdk.differs import Differ
from moorage_sdk.mounts import Mount
from moorage_services.differs import DiffService
from moorage_services.pools import Pool
from moorage_testkit.fakes.metadata import MemoryMetadata

MOUNT = types.Mount(type="bind", source="/a", options=["rbind", "rw"])


class One(Differ):
    """Knows one media type and remembers how it was called."""

    def __init__(self, media_type: str) -> None:
        self.media_type = media_type
        self.calls: list[tuple[Any, ...]] = []

    def apply(
        self,
        layer: Descriptor,
        mounts: Sequence[Mount],
        content: ContentStore,
        *,
        sync: bool = False,
        payloads: Mapping[str, bytes] | None = None,
    ) -> Descriptor:
        self.check(layer.media_type)
        self.calls.append((layer, tuple(mounts), sync, payloads))
        return Descriptor(OCI_LAYER, "sha256:applied", 7)

    def compare(
        self,
        lower: Sequence[Mount],
        upper: Sequence[Mount],
        content: ContentStore,
        *,
        media_type: str = OCI_LAYER_GZIP,
        ref: str = "",
        labels: Mapping[str, str] | None = None,
        source_date_epoch: int | None = None,
    ) -> Descriptor:
        self.check(media_type)
        self.calls.append((tuple(lower), tuple(upper), media_type, ref, labels, source_date_epoch))
        return Descriptor(media_type, "sha256:compared", 7)

    def check(self, media_type: str) -> None:
        if media_type != self.media_type:
            raise errors.Unimplemented(f"{self.media_type} only: not implemented")


def test_differs_are_asked_in_order_until_one_knows_the_layer(call: Callable[..., Any], pool: Pool) -> None:
    async def run() -> None:
        first, second, third = One("a"), One("b"), One("b")
        service = DiffService(MemoryMetadata(), [first, second, third], pool)
        request = api.ApplyRequest(diff=types.Descriptor(media_type="b", digest="d", size=3), mounts=[MOUNT])
        applied = (await service.apply(request, call())).applied
        assert (applied.media_type, applied.digest, applied.size) == (OCI_LAYER, "sha256:applied", 7)
        assert second.calls == [(Descriptor("b", "d", 3), (Mount("bind", "/a", ("rbind", "rw")),), False, {})]
        assert first.calls == third.calls == []

    asyncio.run(run())


def test_payloads_for_stream_processors_come_serialized(call: Callable[..., Any], pool: Pool) -> None:
    async def run() -> None:
        differ = One("b")
        key = Any_(type_url="example.com/key", value=b"secret")
        request = api.ApplyRequest(diff=types.Descriptor(media_type="b"), payloads={"io.decoder": key})
        await DiffService(MemoryMetadata(), [differ], pool).apply(request, call())
        assert differ.calls[0][3] == {"io.decoder": key.SerializeToString()}

    asyncio.run(run())


def test_a_layer_nobody_knows_gets_the_last_differs_word(call: Callable[..., Any], pool: Pool) -> None:
    async def run() -> None:
        request = api.ApplyRequest(diff=types.Descriptor(media_type="z"))
        with pytest.raises(errors.Unimplemented, match="b only"):
            await DiffService(MemoryMetadata(), [One("a"), One("b")], pool).apply(request, call())
        with pytest.raises(errors.Unimplemented, match='layer of type "z"'):
            await DiffService(MemoryMetadata(), [], pool).apply(request, call())

    asyncio.run(run())


@pytest.mark.parametrize(
    ("forced", "asked", "wanted"), [(False, False, False), (False, True, True), (True, False, True)]
)
def test_sync_by_request_or_by_configuration(
    call: Callable[..., Any], pool: Pool, forced: bool, asked: bool, wanted: bool
) -> None:
    differ = One("a")
    request = api.ApplyRequest(diff=types.Descriptor(media_type="a"), sync_fs=asked)
    asyncio.run(DiffService(MemoryMetadata(), [differ], pool, sync=forced).apply(request, call()))
    assert differ.calls[0][2] is wanted


def test_diffs_are_gzip_layers_unless_told_otherwise(call: Callable[..., Any], pool: Pool) -> None:
    async def run() -> None:
        differ = One(OCI_LAYER_GZIP)
        service = DiffService(MemoryMetadata(), [differ], pool)
        request = api.DiffRequest(left=[MOUNT], ref="r", labels={"k": "v"}, source_date_epoch=Timestamp(seconds=0))
        made = (await service.diff(request, call())).diff
        assert made.media_type == OCI_LAYER_GZIP
        mounts = (Mount("bind", "/a", ("rbind", "rw")),)
        assert differ.calls == [(mounts, (), OCI_LAYER_GZIP, "r", {"k": "v"}, 0)]
        await service.diff(api.DiffRequest(), call())
        assert differ.calls[1][-1] is None
        with pytest.raises(errors.Unimplemented):
            await service.diff(api.DiffRequest(media_type="other"), call())

    asyncio.run(run())
