import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from moorage_api.messages import events
from moorage_restart_monitor import exits, monitors, paces, policies
from moorage_restart_monitor.monitors import RestartMonitor
from moorage_sdk import errors
from moorage_sdk.containers import Container, Runtime
from moorage_sdk.events import Payload
from moorage_sdk.metadata import Change
from moorage_sdk.namespaces import Namespace
from moorage_sdk.tasks import Creation, Process, Status
from moorage_testkit.fakes.events import MemoryExchange
from moorage_testkit.fakes.metadata import MemoryMetadata
from moorage_testkit.fakes.tasks import MemoryTasks

SPEC = Payload("spec", json.dumps({"process": {}}).encode())
NEVER = 3600.0


class Tasks(MemoryTasks):
    """``deaf`` makes shims unreachable, ``broken`` makes starts fail; ``made`` are the creations."""

    def __init__(self, exchange: MemoryExchange) -> None:
        super().__init__()
        self.exchange = exchange
        self.deaf = False
        self.broken = 0
        self.made: list[str] = []

    async def get(self, namespace: str, id: str, exec_id: str = "") -> Process:
        if self.deaf:
            raise errors.Unavailable("its shim is being looked for: unavailable")
        return await super().get(namespace, id, exec_id)

    async def create(self, namespace: str, creation: Creation) -> int:
        self.made.append(f"{namespace}/{creation.id}")
        if self.broken:
            self.broken -= 1
            raise errors.Error("cannot be made")
        return await super().create(namespace, creation)

    def end(self, namespace: str, id: str, status: int = 0) -> None:
        """A task ends, and it is told."""
        self.exit(namespace, id, status=status)
        event = events.TaskExit(container_id=id, id=id, exit_status=status)
        self.exchange.publish(namespace, exits.TOPIC, Payload(event.DESCRIPTOR.full_name, event.SerializeToString()))


class Metadata(MemoryMetadata):
    """Tells of changes when the test says so. ``lists`` counts how often namespaces were listed."""

    def __init__(self) -> None:
        super().__init__()
        self.watchers: list[Callable[[Change], None]] = []
        self.lists = 0

    @property
    def namespaces(self) -> Any:
        self.lists += 1
        return super().namespaces

    def watch(self, changed: Callable[[Change], None]) -> None:
        self.watchers.append(changed)

    def add(self, id: str = "c", namespace: str = "ns", status: str = "running", **labels: str) -> None:
        if namespace not in super().namespaces.records:
            super().namespaces.records[namespace] = Namespace(namespace)
        told = {policies.STATUS: status, **{f"containerd.io/restart.{key}": value for key, value in labels.items()}}
        self.view(namespace).containers.create(Container(id, Runtime("r"), SPEC, labels=told))
        self.tell()

    def label(self, id: str = "c", namespace: str = "ns", **labels: str) -> None:
        told = {f"containerd.io/restart.{key.replace('_', '-')}": value for key, value in labels.items()}
        containers = self.view(namespace).containers
        containers.update(replace(containers.get(id), labels=told), [f"labels.{key}" for key in told])
        self.tell()

    def tell(self) -> None:
        for changed in self.watchers:
            changed(Change.MUTATION)


class Scene:
    def __init__(self, interval: float, pool: ThreadPoolExecutor) -> None:
        self.exchange, self.metadata = MemoryExchange(), Metadata()
        self.tasks = Tasks(self.exchange)
        self.monitor = RestartMonitor(self.metadata, self.tasks, self.exchange, interval, pool)

    async def until(self, met: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not met():
                await asyncio.sleep(0.002)

    def status(self, id: str = "c", namespace: str = "ns") -> Status | None:
        known = self.tasks.processes.get((namespace, id, ""))
        return known.process.status if known else None

    def count(self, id: str = "c", namespace: str = "ns") -> str:
        return self.metadata.view(namespace).containers.get(id).labels.get(policies.COUNT, "")


Play = Callable[..., None]


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Iterator[Play]:
    """Plays a scene with pauses of hundredths of seconds; the monitor looks by itself if ``interval`` is given."""
    monkeypatch.setattr(paces, "FIRST", 0.01)
    monkeypatch.setattr(paces, "STEADY", 0.2)
    monkeypatch.setattr(paces, "SETTLING", 0.0)
    with ThreadPoolExecutor(2) as pool:

        def run(script: Callable[[Scene], Awaitable[None]], interval: float = NEVER, started: bool = True) -> None:
            async def all_of_it() -> None:
                scene = Scene(interval, pool)
                if started:
                    scene.monitor.start()
                try:
                    await script(scene)
                finally:
                    scene.monitor.close()

            asyncio.run(all_of_it())

        yield run


def test_in_all_namespaces(play: Play) -> None:
    async def script(scene: Scene) -> None:
        scene.metadata.add("a", "one")
        scene.metadata.add("a", "two")
        scene.metadata.add("b", "two", status="stopped")
        scene.metadata.view("two").containers.create(Container("c", Runtime("r"), SPEC))
        await scene.monitor.reconcile()
        assert sorted(scene.tasks.made) == ["one/a", "two/a"]
        assert scene.status("a", "one") is Status.RUNNING
        assert scene.count("a", "two") == "1"

    play(script)


def test_an_exit_is_enough(play: Play) -> None:
    async def script(scene: Scene) -> None:
        scene.metadata.add()
        await scene.monitor.reconcile()
        for times in range(2, 5):
            scene.tasks.end("ns", "c", 3)
            await scene.until(lambda: scene.status() is Status.RUNNING)
            assert scene.count() == str(times)

    play(script)


def test_without_an_event_the_interval_finds_it(play: Play) -> None:
    async def script(scene: Scene) -> None:
        scene.metadata.add()
        await scene.until(lambda: scene.status() is Status.RUNNING)
        scene.tasks.exit("ns", "c")
        await scene.until(lambda: scene.status() is Status.RUNNING)

    play(script, interval=0.02)


def test_records_are_read_only_after_changes(play: Play) -> None:
    async def script(scene: Scene) -> None:
        scene.metadata.add()
        await scene.until(lambda: scene.status() is Status.RUNNING)
        lists = scene.metadata.lists
        await asyncio.sleep(0.1)
        assert scene.metadata.lists == lists
        scene.metadata.add("d")
        await scene.until(lambda: scene.status("d") is Status.RUNNING)

    play(script, interval=0.01)


def test_retries_come_to_an_end(play: Play) -> None:
    async def script(scene: Scene) -> None:
        scene.metadata.add(policy="on-failure:2")
        await scene.monitor.reconcile()
        assert scene.status() is None  # nothing has failed yet
        await scene.tasks.create("ns", Creation("c", "r", SPEC.value))
        await scene.tasks.start("ns", "c")
        for _ in range(2):
            scene.tasks.end("ns", "c", 1)
            await scene.until(lambda: scene.status() is Status.RUNNING)
        scene.tasks.end("ns", "c", 1)
        await scene.monitor.reconcile()
        assert (scene.status(), scene.count()) == (Status.STOPPED, "2")

    play(script)


def test_who_was_stopped_by_hand_stays_so(play: Play) -> None:
    async def script(scene: Scene) -> None:
        scene.metadata.add(policy="unless-stopped")
        await scene.monitor.reconcile()
        scene.metadata.label(explicitly_stopped="true")
        scene.tasks.end("ns", "c", 137)
        await scene.monitor.reconcile()
        assert scene.status() is Status.STOPPED

    play(script)


def test_a_label_that_comes_in_the_pause_counts(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paces, "FIRST", 0.1)

    async def script(scene: Scene) -> None:
        scene.metadata.add()
        looking = asyncio.create_task(scene.monitor.reconcile())
        await asyncio.sleep(0.02)
        scene.metadata.label(status="stopped")
        await looking
        assert scene.tasks.made == []

    play(script)


def test_who_starts_it_himself_is_left_alone(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paces, "FIRST", 0.1)

    async def script(scene: Scene) -> None:
        scene.metadata.add()
        looking = asyncio.create_task(scene.monitor.reconcile())
        await asyncio.sleep(0.02)
        await scene.tasks.create("ns", Creation("c", "r", SPEC.value))
        await asyncio.sleep(0.02)
        await scene.tasks.start("ns", "c")
        await looking
        assert (scene.tasks.made, scene.count(), scene.tasks.told) == (["ns/c"], "", [])

    play(script)


def test_a_slow_client_is_not_overtaken(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paces, "SETTLING", 0.3)

    async def script(scene: Scene) -> None:
        scene.metadata.add()
        looking = asyncio.create_task(scene.monitor.reconcile())
        await asyncio.sleep(0.1)
        await scene.tasks.create("ns", Creation("c", "r", SPEC.value))
        await asyncio.sleep(0.1)
        await scene.tasks.start("ns", "c")
        await looking
        assert (scene.tasks.made, scene.count()) == (["ns/c"], "")

    play(script)


def test_a_task_that_nobody_starts_is_made_anew(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paces, "SETTLING", 0.1)

    async def script(scene: Scene) -> None:
        scene.metadata.add()
        await scene.tasks.create("ns", Creation("c", "r", SPEC.value))
        await scene.monitor.reconcile()
        assert (scene.status(), scene.count()) == (Status.RUNNING, "1")

    play(script)


def test_what_shall_be_stopped_is_killed(play: Play) -> None:
    async def script(scene: Scene) -> None:
        scene.metadata.add()
        await scene.monitor.reconcile()
        scene.metadata.label(status="stopped")
        await scene.monitor.reconcile()
        assert scene.status() is None
        assert scene.tasks.told == [("kill", "c", "", 9, True)]

    play(script)


def test_paused_is_running_enough(play: Play) -> None:
    async def script(scene: Scene) -> None:
        scene.metadata.add()
        await scene.monitor.reconcile()
        await scene.tasks.pause("ns", "c")
        await scene.monitor.reconcile()
        assert scene.status() is Status.PAUSED

    play(script)


def test_a_shim_that_is_out_of_reach_kills_nobody(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    async def script(scene: Scene) -> None:
        scene.metadata.add()
        await scene.monitor.reconcile()
        scene.tasks.deaf = True
        await scene.monitor.reconcile()
        scene.tasks.deaf = False
        assert (scene.status(), scene.tasks.told, scene.count()) == (Status.RUNNING, [], "1")

    with caplog.at_level(logging.WARNING):
        play(script)
    assert "being looked for" in caplog.text


def test_what_fails_is_tried_again_and_counted(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    async def script(scene: Scene) -> None:
        scene.tasks.broken = 3
        scene.metadata.add()
        await scene.monitor.reconcile()
        await scene.until(lambda: scene.status() is Status.RUNNING)
        assert (len(scene.tasks.made), scene.count()) == (4, "4")

    with caplog.at_level(logging.WARNING):
        play(script)
    assert caplog.text.count("cannot be made") == 3


def test_one_that_fails_does_not_keep_others(play: Play) -> None:
    async def script(scene: Scene) -> None:
        scene.metadata.add("a", policy="nonsense")
        scene.metadata.add("b")
        await scene.monitor.reconcile()
        assert scene.tasks.made == ["ns/b"]

    play(script)


def test_a_container_that_goes_meanwhile_is_nobodys_fault(
    play: Play, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(paces, "FIRST", 0.1)

    async def script(scene: Scene) -> None:
        scene.metadata.add()
        looking = asyncio.create_task(scene.monitor.reconcile())
        await asyncio.sleep(0.02)
        scene.metadata.view("ns").containers.delete("c")
        await looking
        assert scene.tasks.made == []

    with caplog.at_level(logging.INFO):
        play(script)
    assert caplog.text == ""


def test_an_exit_during_the_start_is_not_missed(play: Play) -> None:
    async def script(scene: Scene) -> None:
        begun, ends = asyncio.Event(), [True, True, False]
        start = scene.tasks.start

        async def short(namespace: str, id: str, exec_id: str = "") -> int:
            pid = await start(namespace, id, exec_id)
            if ends.pop(0):
                scene.tasks.end(namespace, id, 1)
                await asyncio.sleep(0.02)  # the event is heard before the answer
            else:
                begun.set()
            return pid

        scene.tasks.start = short  # type: ignore[method-assign]
        scene.metadata.add()
        await scene.monitor.reconcile()
        async with asyncio.timeout(10):
            await begun.wait()
        assert scene.count() == "3"

    play(script)


def test_a_list_that_fails_is_asked_for_again(
    play: Play, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def script(scene: Scene) -> None:
        scene.metadata.add()
        listed = scene.monitor._labelled
        failing = [True, True]

        def labelled() -> tuple[monitors.Key, ...]:
            if failing and failing.pop():
                raise OSError("disk")
            return listed()

        monkeypatch.setattr(scene.monitor, "_labelled", labelled)
        scene.monitor.start()
        await scene.until(lambda: scene.status() is Status.RUNNING)

    play(script, interval=0.01, started=False)
    assert caplog.text.count("containers are not listed") == 2


def test_after_its_end_nothing_happens(play: Play) -> None:
    async def script(scene: Scene) -> None:
        scene.tasks.broken = 1
        scene.metadata.add()
        await scene.monitor.reconcile()
        scene.monitor.close()
        await asyncio.sleep(0.05)
        await scene.monitor.reconcile()
        assert len(scene.tasks.made) == 1

    play(script)
