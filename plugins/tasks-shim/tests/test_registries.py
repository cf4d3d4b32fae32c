"""What all tasks share."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moorage_sdk import errors
from moorage_sdk.containers import Runtime
from moorage_sdk.sandboxes import Creation as SandboxCreation
from moorage_sdk.sandboxes import Sandbox
from moorage_sdk.tasks import Creation
from moorage_testkit.fakes.shims import ShimRuntime

SPEC = b'{"ociVersion": "1.0.2"}'
RUNTIME = "io.containerd.runc.v2"


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.01)


async def populate(here: Any, *ids: str) -> None:
    for id in ids:
        await here.manager.create("ns", Creation(id, RUNTIME, SPEC))


def test_tasks_are_found_by_namespace_and_id(house: Callable[..., Any]) -> None:
    async def run() -> None:
        here = house()
        async with here.shim:
            await populate(here, "b", "a")
            task = here.registry.get("ns", "a")
            assert here.registry.holds(task)
            assert [each.bundle.id for each in here.registry.of("ns")] == ["a", "b"]
            assert here.registry.keys() == {("ns", "a"), ("ns", "b")}
            await here.registry.remove(task)
            assert not here.registry.holds(task)
            with pytest.raises(errors.NotFound, match='task "a" in namespace "ns"'):
                here.registry.get("ns", "a")
            here.registry.close()

    asyncio.run(run())


def test_a_bundle_that_cannot_be_removed_is_logged(
    house: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(bundles: Any, bundle: Any) -> None:
        raise OSError(16, "busy")

    async def run() -> None:
        here = house()
        async with here.shim:
            await populate(here, "a")
            monkeypatch.setattr(type(here.bundles), "delete", refuse)
            await here.manager.delete("ns", "a")
            assert not here.registry.has("ns", "a")
            here.registry.close()

    asyncio.run(run())
    assert "bundle not removed" in caplog.text


def test_faults_of_work_in_the_background_are_logged(
    house: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        raise RuntimeError("unheard of")

    async def run() -> None:
        here = house()
        here.registry.background(fail())
        await until(lambda: "unheard of" in caplog.text)
        here.registry.close()

    asyncio.run(run())


@pytest.mark.parametrize(("shared", "shutdowns"), [(True, 0), (False, 1)])
def test_only_a_shim_of_its_own_is_shut_down_with_the_task(
    house: Callable[..., Any], shared: bool, shutdowns: int
) -> None:
    async def run() -> None:
        plain = house()
        here = house(plain.shim, ShimRuntime(plain.shim, shared=shared))
        async with here.shim as shim:
            await populate(here, "a")
            await here.manager.delete("ns", "a")
            assert shim.calls["Shutdown"] == shutdowns
            assert list(here.bundles.all()) == []
            here.registry.close()

    asyncio.run(run())


def test_closing_leaves_bundles_and_tasks_alone(house: Callable[..., Any]) -> None:
    async def run() -> None:
        here = house()
        async with here.shim as shim:
            await populate(here, "a")
            here.registry.close()
            await asyncio.sleep(0.05)
            assert [each.id for each in here.bundles.all()] == ["a"]
            assert ("ns", "a", "") in shim.tasks
            assert here.topics == []

    asyncio.run(run())


@pytest.mark.parametrize("undone", [True, False])
def test_who_wants_to_know_of_ends_is_told_when_the_bundle_is_gone(house: Callable[..., Any], undone: bool) -> None:
    async def run() -> None:
        here = house()
        told: list[tuple[str, str, bool]] = []

        async def ended(namespace: str, id: str) -> None:
            told.append((namespace, id, Path(bundle.path).exists()))

        here.registry.on_ended(ended)
        async with here.shim:
            await here.manager.create("ns", Creation("web", RUNTIME, SPEC))
            task = here.registry.get("ns", "web")
            bundle = task.bundle
            await here.registry.remove(task, undone=undone)
            assert told == ([] if undone else [("ns", "web", False)])
            here.registry.close()

    asyncio.run(run())


def test_neighbours_share_ids_and_shims(pods: Callable[..., Any]) -> None:
    async def run() -> None:
        here = pods()
        async with here.shim:
            await populate(here, "web")
            await here.controller.create("ns", SandboxCreation(Sandbox("pod", Runtime(RUNTIME))))
            for registry in (here.registry, here.pods):
                assert registry.taken("ns", "web") and registry.taken("ns", "pod")
                assert not registry.taken("other", "pod")
            pod = here.pods.get("ns", "pod")
            assert here.registry.host("ns", "pod") is pod
            assert here.registry.host("ns", "web") is here.registry.get("ns", "web")
            assert here.registry.host("ns", "none") is None
            assert pod.link is here.registry.get("ns", "web").link
            # Who has no connections of its own leaves the others theirs.
            here.pods.close()
            assert not pod.link.lost
            assert (await here.manager.get("ns", "web")).container_id == "web"
            here.registry.close()

    asyncio.run(run())


def test_the_end_of_a_shim_that_was_told_to_go_is_no_loss(pods: Callable[..., Any]) -> None:
    async def run() -> None:
        here = pods()
        async with here.shim as shim:
            await here.controller.create("ns", SandboxCreation(Sandbox("pod", Runtime(RUNTIME))))
            pod = here.pods.get("ns", "pod")
            pod.leaving = True
            link = pod.link
            await shim.stop()
            await link.closed()
            await asyncio.sleep(0.05)
            assert pod.link is link
            here.close()

    asyncio.run(run())


def test_an_id_is_taken_from_the_first_moment_by_neighbours_too(pods: Callable[..., Any]) -> None:
    async def run() -> None:
        here = pods()
        async with here.shim as shim:
            shim.hang.add("CreateSandbox")
            sandbox = Sandbox("web", Runtime(RUNTIME))
            making = asyncio.create_task(here.sandbox_creator.create("ns", SandboxCreation(sandbox)))
            await until(lambda: shim.calls["CreateSandbox"])
            assert not here.pods.has("ns", "web")
            with pytest.raises(errors.AlreadyExists, match='task "web" in namespace "ns": already exists'):
                await here.manager.create("ns", Creation("web", RUNTIME, SPEC))
            making.cancel()
            with pytest.raises(asyncio.CancelledError):
                await making
            here.close()

    asyncio.run(run())


def test_an_id_is_free_when_nothing_is_left_of_the_one_before(
    house: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have the same bundle: that of the new one was removed for that of the old."""
    go_on = threading.Event()

    async def run() -> None:
        here = house()
        async with here.shim:
            await populate(here, "a")
            delete = type(here.bundles).delete

            def slowly(bundles: Any, bundle: Any) -> None:
                monkeypatch.setattr(type(here.bundles), "delete", delete)
                go_on.wait(10)
                delete(bundles, bundle)

            monkeypatch.setattr(type(here.bundles), "delete", slowly)
            here.shim.exit("ns", "a")
            deleting = asyncio.create_task(here.manager.delete("ns", "a"))
            await until(lambda: not here.registry.has("ns", "a"))
            again = asyncio.create_task(here.manager.create("ns", Creation("a", RUNTIME, SPEC)))
            await populate(here, "b")
            await asyncio.sleep(0.1)
            assert not deleting.done() and not again.done()
            go_on.set()
            await deleting
            await again
            assert (here.bundles.state / "ns" / "a" / "config.json").exists()
            here.registry.close()

    asyncio.run(run())


def test_work_that_was_begun_is_finished_though_nobody_waits(house: Callable[..., Any]) -> None:
    async def run() -> None:
        here = house()
        done: list[int] = []

        async def work() -> int:
            await asyncio.sleep(0.05)
            done.append(1)
            raise errors.NotFound("nothing")

        with pytest.raises(errors.NotFound):
            await here.registry.finish(work())
        caller = asyncio.create_task(here.registry.finish(work()))
        await asyncio.sleep(0)
        caller.cancel()
        await until(lambda: len(done) == 2)
        here.registry.close()

    asyncio.run(run())
