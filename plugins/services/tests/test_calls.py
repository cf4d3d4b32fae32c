"""Calls, and services made of handlers."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import grpc
import pytest

from moorage_sdk import callers, errors
from moorage_services import calls
from moorage_services.calls import Call, GrpcService
from moorage_services.pools import Pool
from moorage_testkit.fakes.metadata import MemoryMetadata


def test_the_first_of_a_repeated_header_counts_and_binary_ones_do_not(wire: Callable[..., Any]) -> None:
    call = Call(wire((calls.NAMESPACE, "a"), (calls.NAMESPACE, "b"), ("x-bin", b"\0"), (calls.LEASE, "l")))
    assert (call.namespace, call.lease) == ("a", "l")
    assert "x-bin" not in call.headers


def test_a_call_without_headers_has_neither_namespace_nor_lease(wire: Callable[..., Any]) -> None:
    call = Call(wire())
    assert (call.namespace, call.lease) == ("", "")
    with pytest.raises(errors.FailedPrecondition, match="namespace is required"):
        call.view(MemoryMetadata())


def test_a_malformed_namespace_is_an_invalid_argument(call: Callable[..., Any]) -> None:
    with pytest.raises(errors.InvalidArgument):
        call("../x").view(MemoryMetadata())


def test_view_is_the_callers_own(call: Callable[..., Any]) -> None:
    metadata = MemoryMetadata()
    assert call("a").view(metadata).namespace == "a"


@pytest.mark.parametrize(
    ("entries", "sizes"), [(0, []), (1, [1]), (100, [100]), (101, [100, 1]), (250, [100, 100, 50])]
)
def test_long_lists_go_in_batches(call: Callable[..., Any], entries: int, sizes: list[int]) -> None:
    made = call()
    asyncio.run(made.send_batches(list(range(entries)), len))
    assert made.wire.sent == sizes


def test_cancellation_is_seen(wire: Callable[..., Any]) -> None:
    context = wire()
    call = Call(context)
    assert not call.cancelled
    context.gone = True
    assert call.cancelled


class Offered:
    name = "containerd.services.version.v1.Version"

    def handlers(self) -> dict[str, Any]:
        return {"Version": self.version}

    async def version(self, request: Any, call: Call) -> str:
        return call.namespace


def test_a_service_offers_its_handlers_on_grpc(wire: Callable[..., Any]) -> None:
    service = GrpcService(Offered())
    assert (service.transport, service.names) == ("grpc", (Offered.name,))
    (handler,) = service.handlers()
    assert isinstance(handler, grpc.GenericRpcHandler)
    assert asyncio.run(calls.bound(Offered().version)(None, wire((calls.NAMESPACE, "a")))) == "a"


def test_work_in_threads_knows_who_waits_for_it(wire: Callable[..., Any], pool: Pool) -> None:
    async def handler(request: Any, call: Call) -> callers.Caller | None:
        return await pool.run(callers.current)

    context = wire()
    context.time_remaining = lambda: 600.0
    caller = asyncio.run(calls.bound(handler)(None, context))
    assert 0 < caller.remaining() <= 600
    assert asyncio.run(calls.bound(handler)(None, wire())).remaining() is None
    assert callers.current() is None


def test_work_in_threads_learns_that_its_caller_has_gone(wire: Callable[..., Any], pool: Pool) -> None:
    entered, gone = threading.Event(), threading.Event()

    def work() -> bool:
        caller = callers.current()
        assert caller is not None
        with caller.watched(gone.set):
            entered.set()
            return gone.wait(30)

    async def run() -> bool:
        future: Any = None

        async def handler(request: Any, call: Call) -> None:
            nonlocal future
            future = pool.submit(work)
            await asyncio.sleep(600)

        calling = asyncio.ensure_future(calls.bound(handler)(None, wire()))
        while not entered.is_set():
            await asyncio.sleep(0.01)
        calling.cancel()
        return bool(await asyncio.wrap_future(future))

    assert asyncio.run(run())


def test_selected_refuses_a_malformed_filter() -> None:
    with pytest.raises(errors.InvalidArgument):
        calls.selected([1], ["=="], lambda entry: lambda path: ("", False))
    assert calls.selected([1, 2], [], lambda entry: lambda path: ("", False)) == [1, 2]
    assert calls.selected([1, 2], ["id==2"], lambda entry: lambda path: (str(entry), True)) == [2]
