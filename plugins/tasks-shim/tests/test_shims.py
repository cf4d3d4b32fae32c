"""Connections to shims."""

import asyncio
from pathlib import Path

import pytest

from moorage_sdk import errors
from moorage_sdk.runtimes import Endpoint
from moorage_tasks_shim.shims import Link, Links
from moorage_testkit.fakes.grpc_shims import GrpcShim
from moorage_testkit.fakes.shims import Shim


class Losses:
    """Counts what was lost."""

    def __init__(self) -> None:
        self.links: list[Link] = []
        self.seen = asyncio.Event()

    async def __call__(self, link: Link) -> None:
        self.links.append(link)
        self.seen.set()


def test_calls_carry_the_namespace_and_come_back_decoded(tmp_path: Path) -> None:
    async def run() -> None:
        async with Shim(tmp_path / "s") as shim:
            links = Links(Losses())
            link = await links.take(Endpoint(str(shim.path)))
            said = await link.call("ns", "Create", id="web", stdout="/out")
            assert said.pid == shim.tasks["ns", "web", ""].pid
            assert (await link.call("ns", "State", id="web")).stdout == "/out"
            with pytest.raises(errors.NotFound):
                await link.call("other", "State", id="web")
            await links.release(link)
            assert link.lost

    asyncio.run(run())


def test_a_status_that_no_process_can_have_is_one_that_nobody_knows(tmp_path: Path) -> None:
    async def run() -> None:
        async with Shim(tmp_path / "s") as shim:
            link = await Links(Losses()).take(Endpoint(str(shim.path)))
            for status, told in ((255, 255), (256, 255), (0xFFFFFFFF, 255), (0, 0)):
                await link.call("ns", "Create", id="web")
                await link.call("ns", "Start", id="web")
                shim.exit("ns", "web", status=status)
                for method in ("State", "Wait", "Delete"):
                    assert (await link.call("ns", method, id="web")).exit_status == told

    asyncio.run(run())


def test_a_shim_that_is_older_than_it_says_is_asked_again_in_its_own_version(tmp_path: Path) -> None:
    async def run() -> None:
        async with Shim(tmp_path / "s", version=2) as shim:
            links = Links(Losses())
            link = await links.take(Endpoint(str(shim.path), version=3))
            await link.call("ns", "Create", id="web")
            assert link.version == 2
            shim.fail["Pids"] = errors.Unimplemented("no")
            with pytest.raises(errors.Unimplemented):
                await link.call("ns", "Pids", id="web")
            await links.release(link)

    asyncio.run(run())


def test_tasks_share_a_connection_until_the_last_has_gone(tmp_path: Path) -> None:
    async def run() -> None:
        losses = Losses()
        async with Shim(tmp_path / "s") as shim:
            links = Links(losses)
            first, second = await asyncio.gather(*(links.take(Endpoint(str(shim.path))) for _ in range(2)))
            assert first is second
            await links.release(first)
            assert not second.lost
            await links.release(second)
            assert second.lost
            third = await links.take(Endpoint(str(shim.path)))
            assert third is not second
            await links.release(third)
        assert losses.links == []

    asyncio.run(run())


def test_the_connection_to_a_shim_for_all_stays_for_the_next_task(tmp_path: Path) -> None:
    async def run() -> None:
        losses = Losses()
        shim = Shim(tmp_path / "s")
        await shim.start()
        endpoint = Endpoint(str(shim.path), shared=True)
        links = Links(losses)
        first = await links.take(endpoint)
        await links.release(first)
        assert not first.lost
        assert await links.take(endpoint) is first
        await links.release(first)
        await shim.stop()
        await asyncio.wait_for(losses.seen.wait(), 10)
        async with shim:
            again = await links.take(endpoint)
            assert again is not first
            await again.call("ns", "Create", id="web")
            links.abandon()
            await asyncio.wait_for(again.closed(), 10)

    asyncio.run(run())


def test_a_connection_that_breaks_is_reported_once_and_made_anew(tmp_path: Path) -> None:
    async def run() -> None:
        losses = Losses()
        shim = Shim(tmp_path / "s")
        await shim.start()
        links = Links(losses)
        link = await links.take(Endpoint(str(shim.path)))
        await link.call("ns", "Create", id="web")
        await shim.stop()
        await asyncio.wait_for(losses.seen.wait(), 10)
        assert losses.links == [link]
        with pytest.raises(errors.Unavailable):
            await link.call("ns", "State", id="web")
        with pytest.raises(errors.Unavailable):
            await links.take(Endpoint(str(shim.path)))
        async with shim:
            again = await links.take(Endpoint(str(shim.path)))
            assert again is not link
            await links.release(again)

    asyncio.run(run())


def test_abandoning_tells_nobody(tmp_path: Path) -> None:
    async def run() -> None:
        losses = Losses()
        async with Shim(tmp_path / "s") as shim:
            links = Links(losses)
            link = await links.take(Endpoint(str(shim.path)))
            links.abandon()
            await asyncio.wait_for(link.closed(), 10)
            await asyncio.sleep(0)
        assert losses.links == []
        assert shim.calls["Shutdown"] == 0

    asyncio.run(run())


def test_the_sandbox_api_is_spoken_over_the_same_connection(tmp_path: Path) -> None:
    async def run() -> None:
        async with Shim(tmp_path / "s", sandboxes={}) as shim:
            links = Links()
            link = await links.take(Endpoint(str(shim.path), version=3))
            await link.call_sandbox("ns", "CreateSandbox", sandbox_id="pod", netns_path="/n")
            assert shim.sandboxes is not None and shim.sandboxes["ns", "pod"].request.netns_path == "/n"
            with pytest.raises(errors.NotFound):
                await link.call_sandbox("other", "PingSandbox", sandbox_id="pod")
            # A shim without sandboxes is no older one.
            shim.fail["PingSandbox"] = errors.Unimplemented("no")
            with pytest.raises(errors.Unimplemented):
                await link.call_sandbox("ns", "PingSandbox", sandbox_id="pod")
            assert link.version == 3
            await links.release(link)

    asyncio.run(run())


def test_a_shim_may_speak_grpc(tmp_path: Path) -> None:
    async def run() -> None:
        losses = Losses()
        shim = GrpcShim(tmp_path / "s", sandboxes={})
        await shim.start()
        links = Links(losses)
        link = await links.take(Endpoint(str(shim.path), protocol="grpc"))
        await link.call("ns", "Create", id="web")
        await link.call_sandbox("ns", "CreateSandbox", sandbox_id="pod")
        shim.fail["Pids"] = errors.Unimplemented("no")
        with pytest.raises(errors.Unimplemented):
            await link.call("ns", "Pids", id="web")
        assert link.version == 3  # no other is spoken over gRPC
        await shim.stop()
        await asyncio.wait_for(losses.seen.wait(), 10)
        assert losses.links == [link] and link.lost
        await shim.start()
        again = await links.take(Endpoint(str(shim.path), protocol="grpc"))
        await again.call("ns", "State", id="web")
        await links.release(again)
        assert again.lost
        await shim.stop()

    asyncio.run(run())


def test_all_who_share_a_connection_hear_of_its_loss(tmp_path: Path) -> None:
    async def run() -> None:
        first, second = Losses(), Losses()
        links = Links(first)
        links.on_lost(second)
        async with Shim(tmp_path / "s") as shim:
            link = await links.take(Endpoint(str(shim.path)))
        await asyncio.wait_for(second.seen.wait(), 10)
        assert first.links == second.links == [link]

    asyncio.run(run())
