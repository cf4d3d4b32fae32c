import asyncio
import threading
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from moorage_api.messages import sandboxes
from moorage_proxy.controllers import SERVICE, ProxyController
from moorage_proxy.peers import Peer
from moorage_sdk import errors, platforms
from moorage_sdk.containers import Runtime
from moorage_sdk.events import Payload
from moorage_sdk.mounts import Mount
from moorage_sdk.sandboxes import Creation, Sandbox
from moorage_services.calls import GrpcService, bound
from moorage_services.drains import Drain
from moorage_services.sandboxers import SandboxerService
from moorage_testkit.fakes.events import MemoryExchange
from moorage_testkit.fakes.sandboxes import READY, MemorySandboxController

BOX = Sandbox("box", Runtime("io.containerd.runc.v2"), Payload("spec", b"{}"), "far", {"a": "b"}, created_at=5)


@pytest.fixture
def memory() -> MemorySandboxController:
    return MemorySandboxController()


@pytest.fixture
def served(memory: MemorySandboxController, serve: Callable[..., Any]) -> Any:
    service = SandboxerService({"far": memory}, MemoryExchange(), Drain())
    assert GrpcService(service).names == (SERVICE,)
    return serve({SERVICE: {name: bound(handler) for name, handler in service.handlers().items()}})


Run = Callable[[Callable[[ProxyController], Coroutine[Any, Any, Any]]], Any]


@pytest.fixture
def run(served: Any, connect: Callable[[str], Peer]) -> Run:
    """Runs a test's coroutine with a controller, on a loop."""

    def run(work: Callable[[ProxyController], Coroutine[Any, Any, Any]]) -> Any:
        async def within() -> Any:
            controller = ProxyController(connect(served.address), "far")
            try:
                return await asyncio.wait_for(work(controller), 60)
            finally:
                await controller.close()

        return asyncio.run(within())

    return run


def test_a_sandbox_lives_and_ends(run: Run, memory: MemorySandboxController) -> None:
    async def live(controller: ProxyController) -> None:
        creation = Creation(BOX, (Mount("bind", "/x"),), Payload("options", b"o"), "/run/netns/x", {"n": "1"})
        await controller.create("ns", creation)
        assert memory.creation("ns", "box") == creation
        with pytest.raises(errors.AlreadyExists):
            await controller.create("ns", creation)
        instance = await controller.start("ns", "box")
        assert (instance.id, instance.pid, instance.labels) == ("box", 100, {"memory": "yes"})
        assert await controller.platform("ns", "box") == platforms.host()
        status = await controller.status("ns", "box", verbose=True)
        assert (status.state, status.pid, status.info) == (READY, 100, {"memory": "yes"})
        metric = await controller.metrics("ns", "box")
        assert metric is not None
        assert metric.id == "box"
        await controller.update("ns", "box", replace(BOX, labels={"c": "d"}), ("labels",))
        waiting = asyncio.create_task(controller.wait("ns", "box"))
        await controller.stop("ns", "box", 3.0)
        assert (await waiting).status == 137
        await controller.shutdown("ns", "box")
        with pytest.raises(errors.NotFound):
            await controller.metrics("ns", "box")

    run(live)
    assert ("stop", "box", 3.0) in memory.told
    assert [(told[0], told[2].labels, told[3]) for told in memory.told if told[0] == "update"] == [
        ("update", {"c": "d"}, ("labels",))
    ]


def test_waiting_outlasts_the_peers_restart(run: Run, served: Any) -> None:
    attempts = []

    async def wait(request: Any, context: Any) -> Any:
        attempts.append(request.sandboxer)
        if len(attempts) < 3:
            raise errors.Unavailable("stopping: unavailable")
        return sandboxes.ControllerWaitResponse(exit_status=7)

    served.stop()
    served.services[SERVICE]["Wait"] = wait
    served.start()

    async def ended(controller: ProxyController) -> int:
        return (await controller.wait("ns", "box")).status

    assert run(ended) == 7
    assert attempts == ["far"] * 3


def test_a_peer_that_is_away_is_unavailable_at_once(run: Run, served: Any) -> None:
    served.stop()

    async def ask(controller: ProxyController) -> None:
        with pytest.raises(errors.Unavailable, match="proxied plugin at"):
            await controller.status("ns", "box")

    run(ask)


def test_the_namespace_goes_along(run: Run, served: Any) -> None:
    run(lambda controller: controller.status("web", "none"))
    assert served.headers["Status"]["containerd-namespace"] == "web"


def test_waiting_that_is_given_up_is_given_up_at_the_peer(run: Run, served: Any) -> None:
    reached, gone = threading.Event(), threading.Event()

    async def wait(request: Any, context: Any) -> Any:
        reached.set()
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            gone.set()
            raise

    served.stop()
    served.services[SERVICE]["Wait"] = wait
    served.start()

    async def give_up(controller: ProxyController) -> None:
        waiting = asyncio.create_task(controller.wait("ns", "box"))
        while not reached.is_set():
            await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    run(give_up)
    assert gone.wait(30)
