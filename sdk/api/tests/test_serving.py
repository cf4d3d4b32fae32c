"""Services on a real grpc.aio server on a unix socket."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest

from moorage_api import serving
from moorage_api.calling import Stub
from moorage_api.messages import content, images, version
from moorage_sdk import errors

IMAGES = "containerd.services.images.v1.Images"
CONTENT = "containerd.services.content.v1.Content"


def served(folder: Path, use: Callable[[grpc.aio.Channel], Awaitable[Any]], *handlers: grpc.GenericRpcHandler) -> Any:
    async def run() -> Any:
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((*handlers, serving.fallback()))
        address = f"unix:{folder}/s"
        server.add_insecure_port(address)
        await server.start()
        try:
            async with grpc.aio.insecure_channel(address) as channel:
                return await asyncio.wait_for(use(channel), 30)
        finally:
            await server.stop(0)

    return asyncio.run(run())


async def status_of(channel: grpc.aio.Channel, path: str, request: bytes = b"") -> tuple[grpc.StatusCode, str]:
    call = channel.unary_unary(path)(request)
    return await call.code(), await call.details()


async def get(request: images.GetImageRequest, context: grpc.aio.ServicerContext) -> images.GetImageResponse:
    return images.GetImageResponse(image=images.Image(name=request.name))


def failing(error: BaseException) -> Callable[..., Any]:
    async def fail(request: Any, context: grpc.aio.ServicerContext) -> Any:
        raise error

    return fail


def test_a_unary_method(tmp_path: Path) -> None:
    async def use(channel: grpc.aio.Channel) -> Any:
        return await Stub(channel, IMAGES).call("Get", images.GetImageRequest(name="n"))

    assert served(tmp_path, use, serving.handler(IMAGES, {"Get": get})).image.name == "n"


def test_an_error_keeps_its_class_and_message(tmp_path: Path) -> None:
    handler = serving.handler(IMAGES, {"Get": failing(errors.NotFound('image "n": not found'))})

    async def use(channel: grpc.aio.Channel) -> Any:
        return await status_of(channel, f"/{IMAGES}/Get")

    assert served(tmp_path, use, handler) == (grpc.StatusCode.NOT_FOUND, 'image "n": not found')


def test_a_fault_is_unknown_to_the_peer_and_logged_in_full(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    handler = serving.handler(IMAGES, {"Get": failing(ZeroDivisionError("by zero"))})

    async def use(channel: grpc.aio.Channel) -> Any:
        return await status_of(channel, f"/{IMAGES}/Get")

    with caplog.at_level(logging.ERROR, logger=serving.__name__):
        assert served(tmp_path, use, handler) == (grpc.StatusCode.UNKNOWN, "ZeroDivisionError: by zero")
    assert "Traceback" in caplog.text
    assert f"/{IMAGES}/Get failed" in caplog.text


def test_an_answer_that_is_an_error_is_not_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    handler = serving.handler(IMAGES, {"Get": failing(errors.NotFound("x: not found"))})

    async def use(channel: grpc.aio.Channel) -> Any:
        return await status_of(channel, f"/{IMAGES}/Get")

    served(tmp_path, use, handler)
    assert not [record for record in caplog.records if record.name == serving.__name__]


def test_a_refusal_without_a_class_is_logged_in_a_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What an OCI runtime says arrives so; the reader of the log learns nothing from our own frames."""
    handler = serving.handler(IMAGES, {"Get": failing(errors.Error("runc create failed"))})

    async def use(channel: grpc.aio.Channel) -> Any:
        return await status_of(channel, f"/{IMAGES}/Get")

    with caplog.at_level(logging.ERROR, logger=serving.__name__):
        served(tmp_path, use, handler)
    [record] = [record for record in caplog.records if record.name == serving.__name__]
    assert (record.exc_info, record.__dict__["error"]) == (None, "runc create failed")


def test_an_implementation_may_abort_by_itself(tmp_path: Path) -> None:
    async def abort(request: Any, context: grpc.aio.ServicerContext) -> None:
        await context.abort(grpc.StatusCode.DATA_LOSS, "gone")

    async def use(channel: grpc.aio.Channel) -> Any:
        return await status_of(channel, f"/{IMAGES}/Get")

    assert served(tmp_path, use, serving.handler(IMAGES, {"Get": abort})) == (grpc.StatusCode.DATA_LOSS, "gone")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (f"/{IMAGES}/List", f"unknown method List for service {IMAGES}"),
        (f"/{IMAGES}/Paint", f"unknown method Paint for service {IMAGES}"),
        ("/no.such.Service/Get", "unknown service no.such.Service"),
        ("/x", "unknown service "),
    ],
)
def test_what_is_not_there_is_unimplemented(tmp_path: Path, path: str, message: str) -> None:
    async def use(channel: grpc.aio.Channel) -> Any:
        return await status_of(channel, path)

    handler = serving.handler(IMAGES, {"Get": get})
    assert served(tmp_path, use, handler) == (grpc.StatusCode.UNIMPLEMENTED, message)


def test_a_missing_stream_answers_before_anything_is_sent(tmp_path: Path) -> None:
    async def use(channel: grpc.aio.Channel) -> Any:
        async with Stub(channel, CONTENT).open("Write") as stream:
            with pytest.raises(errors.Unimplemented, match=r"unknown method Write"):
                await stream.receive()

    served(tmp_path, use, serving.handler(CONTENT, {}))


def test_an_error_in_the_middle_of_a_stream_comes_after_what_was_sent(tmp_path: Path) -> None:
    async def read(request: Any, context: grpc.aio.ServicerContext) -> AsyncIterator[content.ReadContentResponse]:
        yield content.ReadContentResponse(data=b"a")
        raise errors.DataLoss("rest: data loss")

    async def use(channel: grpc.aio.Channel) -> list[Any]:
        seen: list[Any] = []
        try:
            async for response in Stub(channel, CONTENT).receive("Read", content.ReadContentRequest()):
                seen.append(response.data)
        except errors.Error as error:
            seen.append((type(error), error.message))
        return seen

    handler = serving.handler(CONTENT, {"Read": read})
    assert served(tmp_path, use, handler) == [b"a", (errors.DataLoss, "rest: data loss")]


def test_a_coroutine_may_serve_a_stream_by_writing(tmp_path: Path) -> None:
    async def write(requests: AsyncIterator[Any], context: grpc.aio.ServicerContext) -> None:
        async for request in requests:
            await context.write(content.WriteContentResponse(offset=request.offset + 1))

    async def use(channel: grpc.aio.Channel) -> list[int]:
        async with Stub(channel, CONTENT).open("Write") as stream:
            offsets = []
            for offset in (1, 5):
                await stream.send(content.WriteContentRequest(offset=offset))
                offsets.append((await stream.receive()).offset)
            await stream.done_sending()
            assert await stream.receive() is None
            return offsets

    assert served(tmp_path, use, serving.handler(CONTENT, {"Write": write})) == [2, 6]


def test_a_cancelled_call_cancels_the_implementation(tmp_path: Path) -> None:
    ended: list[str] = []
    started = asyncio.Event()

    async def hang(request: Any, context: grpc.aio.ServicerContext) -> None:
        try:
            started.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    async def use(channel: grpc.aio.Channel) -> None:
        call = asyncio.ensure_future(Stub(channel, IMAGES).call("Get", images.GetImageRequest()))
        await started.wait()
        call.cancel()
        deadline = asyncio.get_running_loop().time() + 20
        while not ended and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.01)

    served(tmp_path, use, serving.handler(IMAGES, {"Get": hang}))
    assert ended == ["cancelled"]


def test_an_implementation_is_closed_with_its_stream_and_not_some_time_later() -> None:
    ended: list[str] = []

    async def read(request: Any, context: grpc.aio.ServicerContext) -> AsyncIterator[content.ReadContentResponse]:
        try:
            yield content.ReadContentResponse(data=b"a")
        finally:
            ended.append("closed")

    async def run() -> list[str]:
        details = SimpleNamespace(method=f"/{CONTENT}/Read", invocation_metadata=())
        served = serving.handler(CONTENT, {"Read": read}).service(details)
        responses = served.unary_stream(b"", None)
        await anext(responses)
        await responses.aclose()
        return list(ended)

    assert asyncio.run(run()) == ["closed"]


BROKEN = b"\x0a\xff"
"""A field that is said to be longer than the message."""


def test_a_malformed_request_is_answered_as_by_go(tmp_path: Path) -> None:
    called: list[Any] = []

    async def note(request: Any, context: grpc.aio.ServicerContext) -> Any:
        called.append(request)

    async def use(channel: grpc.aio.Channel) -> Any:
        return await status_of(channel, f"/{IMAGES}/Get", BROKEN)

    code, details = served(tmp_path, use, serving.handler(IMAGES, {"Get": note}))
    assert (code, called) == (grpc.StatusCode.INTERNAL, [])
    assert details.startswith(f"/{IMAGES}/Get: request cannot be decoded: ")


def test_a_malformed_message_ends_a_stream_after_those_before_it(tmp_path: Path) -> None:
    offsets: list[int] = []

    async def write(requests: AsyncIterator[Any], context: grpc.aio.ServicerContext) -> None:
        async for request in requests:
            offsets.append(request.offset)

    async def use(channel: grpc.aio.Channel) -> grpc.StatusCode:
        call = channel.stream_stream(f"/{CONTENT}/Write")()
        await call.write(content.WriteContentRequest(offset=7).SerializeToString())
        await call.write(BROKEN)
        return await call.code()

    handler = serving.handler(CONTENT, {"Write": write})
    assert (served(tmp_path, use, handler), offsets) == (grpc.StatusCode.INTERNAL, [7])


def test_methods_that_the_service_does_not_have_are_refused_at_once() -> None:
    with pytest.raises(KeyError, match="Paint"):
        serving.handler(IMAGES, {"Paint": get})
    with pytest.raises(KeyError):
        serving.handler("no.such.Service", {})


def test_a_function_that_would_block_the_loop_is_refused() -> None:
    def blocking(request: Any, context: Any) -> version.VersionResponse:
        return version.VersionResponse()

    with pytest.raises(TypeError, match="neither a coroutine function"):
        serving.handler("containerd.services.version.v1.Version", {"Version": blocking})


def test_every_code_of_the_table_has_its_status() -> None:
    assert sorted(serving.STATUSES) == list(range(17))
