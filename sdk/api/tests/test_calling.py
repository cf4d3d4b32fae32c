"""Calls by name: shapes, failures, and what becomes of calls that are given up."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from moorage_api import serving
from moorage_api.calling import Stream, Stub
from moorage_api.messages import content, images
from moorage_sdk import errors

IMAGES = "containerd.services.images.v1.Images"
CONTENT = "containerd.services.content.v1.Content"


def with_server(
    folder: Path, handler: grpc.GenericRpcHandler, use: Callable[[grpc.aio.Channel], Awaitable[Any]]
) -> Any:
    async def run() -> Any:
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((handler,))
        server.add_insecure_port(f"unix:{folder}/s")
        await server.start()
        try:
            async with grpc.aio.insecure_channel(f"unix:{folder}/s") as channel:
                return await asyncio.wait_for(use(channel), 30)
        finally:
            await server.stop(0)

    return asyncio.run(run())


def test_metadata_and_timeout_reach_the_server(tmp_path: Path) -> None:
    async def get(request: Any, context: grpc.aio.ServicerContext) -> images.GetImageResponse:
        seen = dict(context.invocation_metadata())
        within = 0 < context.time_remaining() < 3600
        return images.GetImageResponse(image=images.Image(name=f"{seen['containerd-namespace']} {within}"))

    async def use(channel: grpc.aio.Channel) -> str:
        metadata = [("containerd-namespace", "n")]
        answer = await Stub(channel, IMAGES).call("Get", images.GetImageRequest(), metadata=metadata, timeout=60)
        return str(answer.image.name)

    assert with_server(tmp_path, serving.handler(IMAGES, {"Get": get}), use) == "n True"


def test_time_runs_out(tmp_path: Path) -> None:
    async def hang(request: Any, context: grpc.aio.ServicerContext) -> None:
        await asyncio.Event().wait()

    async def use(channel: grpc.aio.Channel) -> None:
        with pytest.raises(errors.DeadlineExceeded):
            await Stub(channel, IMAGES).call("Get", images.GetImageRequest(), timeout=0.05)

    with_server(tmp_path, serving.handler(IMAGES, {"Get": hang}), use)


def test_nobody_listens(tmp_path: Path) -> None:
    async def run() -> None:
        async with grpc.aio.insecure_channel(f"unix:{tmp_path}/none") as channel:
            with pytest.raises(errors.Unavailable):
                await Stub(channel, IMAGES).call("Get", images.GetImageRequest(), timeout=20)

    asyncio.run(run())


def test_a_stream_that_is_given_up_is_cancelled(tmp_path: Path) -> None:
    ended: list[bool] = []

    async def read(request: Any, context: grpc.aio.ServicerContext) -> AsyncIterator[content.ReadContentResponse]:
        try:
            while True:
                yield content.ReadContentResponse(data=b"a")
                await asyncio.sleep(0)
        finally:
            ended.append(True)

    async def use(channel: grpc.aio.Channel) -> None:
        responses = Stub(channel, CONTENT).receive("Read", content.ReadContentRequest())
        assert (await anext(responses)).data == b"a"
        await responses.aclose()
        deadline = asyncio.get_running_loop().time() + 20
        while not ended and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.01)

    with_server(tmp_path, serving.handler(CONTENT, {"Read": read}), use)
    assert ended == [True]


def test_sending_into_a_call_that_failed_raises_why_it_failed(tmp_path: Path) -> None:
    async def write(requests: AsyncIterator[Any], context: grpc.aio.ServicerContext) -> None:
        await anext(requests)
        raise errors.AlreadyExists('content "sha256:x": already exists')

    async def use(channel: grpc.aio.Channel) -> None:
        async with Stub(channel, CONTENT).open("Write") as stream:
            await stream.send(content.WriteContentRequest(ref="r"))
            with pytest.raises(errors.AlreadyExists):
                await stream.receive()
            with pytest.raises(errors.AlreadyExists, match="sha256:x"):
                await stream.send(content.WriteContentRequest(ref="r"))

    with_server(tmp_path, serving.handler(CONTENT, {"Write": write}), use)


def test_sending_into_a_call_that_ended_well_is_an_error_too(tmp_path: Path) -> None:
    async def write(requests: AsyncIterator[Any], context: grpc.aio.ServicerContext) -> None:
        return None

    async def use(channel: grpc.aio.Channel) -> None:
        async with Stub(channel, CONTENT).open("Write") as stream:
            assert await stream.receive() is None
            with pytest.raises(errors.Aborted, match="call is over"):
                await stream.send(content.WriteContentRequest(ref="r"))

    with_server(tmp_path, serving.handler(CONTENT, {"Write": write}), use)


@pytest.mark.parametrize(
    ("method", "request_", "kind"),
    [
        ("Paint", content.ReadContentRequest(), KeyError),
        ("Read", content.ReadContentRequest(), TypeError),
        ("Write", content.WriteContentRequest(), TypeError),
        ("Info", content.ReadContentRequest(), TypeError),
    ],
)
def test_a_call_of_the_wrong_shape_is_refused_before_it_is_sent(method: str, request_: Any, kind: type) -> None:
    async def run() -> None:
        async with grpc.aio.insecure_channel("unix:/nonexistent") as channel:
            with pytest.raises(kind):
                await Stub(channel, CONTENT).call(method, request_)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("details", "expected"), [("Internal error from Core", errors.Aborted), ("a fault of the peer", errors.Internal)]
)
def test_a_write_that_the_end_of_the_call_overtakes(details: str, expected: type[errors.Error]) -> None:
    """What grpc.aio says of it, now and then; the peer's own internal errors stay what they are."""

    class Call:
        async def write(self, request: Any) -> None:
            nothing = grpc.aio.Metadata()
            raise grpc.aio.AioRpcError(grpc.StatusCode.INTERNAL, nothing, nothing, details)

    async def send() -> None:
        await Stream(Call()).send(images.GetImageRequest())

    with pytest.raises(expected, match=details):
        asyncio.run(send())
