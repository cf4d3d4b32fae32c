"""Controllers of sandboxes, by name."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf import any_pb2

from moorage_api.convert import timestamps
from moorage_api.messages import events, types
from moorage_api.messages import sandboxes as api
from moorage_sdk import errors, platforms
from moorage_sdk.containers import Runtime
from moorage_sdk.events import Payload
from moorage_sdk.mounts import Mount
from moorage_sdk.sandboxes import Sandbox
from moorage_services.drains import Drain
from moorage_services.sandboxers import SandboxerService
from moorage_testkit.fakes.events import MemoryExchange
from moorage_testkit.fakes.sandboxes import READY, MemorySandboxController

POD = types.Sandbox(sandbox_id="pod", runtime=types.Sandbox.Runtime(name="r"), labels={"a": "b"})


class House:
    def __init__(self) -> None:
        self.controller = MemorySandboxController()
        self.exchange = MemoryExchange()
        self.drain = Drain()
        self.service = SandboxerService({"shim": self.controller}, self.exchange, self.drain)

    @property
    def topics(self) -> list[str]:
        return [envelope.topic for envelope in self.exchange.log]

    async def create(self, call: Any, **fields: Any) -> Any:
        request = api.ControllerCreateRequest(sandbox_id="pod", sandboxer="shim", **fields)
        return await self.service.create(request, call)


def addressed(kind: type[Any], **fields: Any) -> Any:
    return kind(sandbox_id="pod", sandboxer="shim", **fields)


def test_the_controller_gets_the_whole_request(call: Callable[..., Any]) -> None:
    async def run() -> None:
        house = House()
        made = await house.create(
            call(),
            sandbox=POD,
            rootfs=[types.Mount(type="bind", source="/a", options=["ro"])],
            options=any_pb2.Any(type_url="o", value=b"1"),
            netns_path="/run/netns/x",
            annotations={"k": "v"},
        )
        assert made.sandbox_id == "pod"
        creation = house.controller.creation("ns", "pod")
        assert creation.sandbox == Sandbox("pod", Runtime("r"), labels={"a": "b"})
        assert creation.rootfs == (Mount("bind", "/a", ("ro",)),)
        assert (creation.options, creation.netns) == (Payload("o", b"1"), "/run/netns/x")
        assert creation.annotations == {"k": "v"}

    asyncio.run(run())


def test_a_client_that_sends_no_record_is_served(call: Callable[..., Any]) -> None:
    async def run() -> None:
        house = House()
        await house.create(call())
        assert house.controller.creation("ns", "pod").sandbox == Sandbox("pod", Runtime(""))

    asyncio.run(run())


def test_a_life(call: Callable[..., Any]) -> None:
    async def run() -> None:
        house = House()
        service = house.service
        await house.create(call(), sandbox=POD)
        started = await service.start(addressed(api.ControllerStartRequest), call())
        assert (started.sandbox_id, started.pid, dict(started.labels)) == ("pod", 100, {"memory": "yes"})
        assert timestamps.from_message(started.created_at) > 0
        assert (started.address, started.version, started.HasField("spec")) == ("", 0, False)
        status = await service.status(addressed(api.ControllerStatusRequest, verbose=True), call())
        assert (status.state, status.pid, dict(status.info)) == (READY, 100, {"memory": "yes"})
        assert (status.HasField("extra"), timestamps.from_message(status.exited_at)) == (True, 0)
        platform = (await service.platform(addressed(api.ControllerPlatformRequest), call())).platform
        assert platform.architecture == platforms.host().architecture
        figures = (await service.metrics(addressed(api.ControllerMetricsRequest), call())).metrics
        assert (figures.id, figures.data.type_url) == ("pod", "io.containerd.cgroups.v2.Metrics")
        waits = [asyncio.create_task(service.wait(addressed(api.ControllerWaitRequest), call())) for _ in range(2)]
        await asyncio.sleep(0)
        await service.stop(addressed(api.ControllerStopRequest, timeout_secs=7), call())
        assert house.controller.told == [("stop", "pod", 7.0)]
        assert [(await wait).exit_status for wait in waits] == [137, 137]
        await service.shutdown(addressed(api.ControllerShutdownRequest), call())
        # One exit for each that waited, as containerd does it.
        assert house.topics == ["/sandboxes/create", "/sandboxes/start", "/sandboxes/exit", "/sandboxes/exit"]
        exit = events.SandboxExit.FromString(house.exchange.log[-1].event.value)
        assert (exit.sandbox_id, exit.exit_status, house.exchange.log[-1].namespace) == ("pod", 137, "ns")

    asyncio.run(run())


def test_what_failed_is_not_announced(call: Callable[..., Any]) -> None:
    async def run() -> None:
        house = House()
        for request, method in (
            (addressed(api.ControllerStartRequest), house.service.start),
            (addressed(api.ControllerWaitRequest), house.service.wait),
        ):
            with pytest.raises(errors.NotFound):
                await method(request, call())
        await house.create(call())
        with pytest.raises(errors.AlreadyExists):
            await house.create(call())
        assert house.topics == ["/sandboxes/create"]

    asyncio.run(run())


def test_changes_of_the_record_reach_the_controller(call: Callable[..., Any]) -> None:
    async def run() -> None:
        house = House()
        await house.create(call())
        await house.service.update(addressed(api.ControllerUpdateRequest, sandbox=POD, fields=["labels"]), call())
        assert house.controller.told == [
            ("update", "pod", Sandbox("pod", Runtime("r"), labels={"a": "b"}), ("labels",))
        ]
        with pytest.raises(errors.Error, match="can not be nil") as raised:
            await house.service.update(addressed(api.ControllerUpdateRequest), call())
        assert type(raised.value) is errors.Error

    asyncio.run(run())


def test_the_name_of_a_controller_is_needed_and_must_be_known(call: Callable[..., Any]) -> None:
    async def run() -> None:
        house = House()
        for name, handler in house.service.handlers().items():
            request = getattr(api, f"Controller{name}Request")
            with pytest.raises(errors.InvalidArgument):
                await handler(request(sandbox_id="pod"), call())
            with pytest.raises(errors.NotFound, match='"podsandbox"'):
                await handler(request(sandbox_id="pod", sandboxer="podsandbox"), call())
            if name != "Update":
                with pytest.raises(errors.FailedPrecondition):
                    await handler(request(sandbox_id="pod", sandboxer="shim"), call(namespace=""))

    asyncio.run(run())


def test_who_waits_is_sent_away_when_the_daemon_stops(call: Callable[..., Any]) -> None:
    async def run() -> None:
        house = House()
        await house.create(call())
        wait = asyncio.create_task(house.service.wait(addressed(api.ControllerWaitRequest), call()))
        await asyncio.sleep(0.01)
        house.drain.stop()
        with pytest.raises(errors.Unavailable):
            await wait
        assert house.topics == ["/sandboxes/create"]

    asyncio.run(run())
