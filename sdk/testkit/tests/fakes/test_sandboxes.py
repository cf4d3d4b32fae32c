"""The sandbox controller that runs nothing."""

import asyncio

import pytest

from moorage_sdk import errors, platforms
from moorage_sdk.containers import Runtime
from moorage_sdk.sandboxes import Creation, Sandbox
from moorage_testkit.fakes.sandboxes import NOT_READY, READY, MemorySandboxController


def test_states_and_errors_are_those_of_the_slot() -> None:
    async def run() -> None:
        controller, creation = MemorySandboxController(), Creation(Sandbox("pod", Runtime("r")))
        await controller.create("ns", creation)
        assert controller.creation("ns", "pod") is creation
        with pytest.raises(errors.AlreadyExists):
            await controller.create("ns", creation)
        assert (await controller.status("ns", "pod")).state == NOT_READY
        instance = await controller.start("ns", "pod")
        with pytest.raises(errors.FailedPrecondition):
            await controller.start("ns", "pod")
        status = await controller.status("ns", "pod", verbose=True)
        assert (status.state, status.pid, status.info) == (READY, instance.pid, {"memory": "yes"})
        assert await controller.platform("ns", "pod") == platforms.host()
        await controller.update("ns", "pod", creation.sandbox, ("labels",))
        await controller.stop("ns", "pod", 3)
        assert (await controller.wait("ns", "pod")).status == 137
        await controller.stop("ns", "pod")
        assert [call[0] for call in controller.told] == ["update", "stop", "stop"]
        await controller.shutdown("ns", "pod")
        for call in (controller.start, controller.wait, controller.shutdown, controller.metrics, controller.platform):
            with pytest.raises(errors.NotFound):
                await call("ns", "pod")

    asyncio.run(run())


def test_what_is_gone_is_stopped_and_has_no_state() -> None:
    async def run() -> None:
        controller = MemorySandboxController()
        await controller.stop("ns", "pod")
        status = await controller.status("ns", "pod")
        assert (status.id, status.state, status.pid) == ("pod", "", 0)
        assert status.exited_at > 0

    asyncio.run(run())


def test_waiting_ends_with_the_sandbox_and_not_with_who_waits() -> None:
    async def run() -> None:
        controller = MemorySandboxController()
        await controller.create("ns", Creation(Sandbox("pod", Runtime("r"))))
        await controller.start("ns", "pod")
        first, second = (asyncio.create_task(controller.wait("ns", "pod")) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        controller.exit("ns", "pod", 3)
        assert (await second).status == 3
        assert (await controller.metrics("ns", "pod")) is not None

    asyncio.run(run())
