"""The daemon or its monitor stands still for a while, as in a frozen cgroup or on a host short of memory."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from moorage_client.clients import Client, connect
from moorage_client.containers import spec_payload
from moorage_sdk import errors
from moorage_sdk.containers import Container, Runtime
from moorage_sdk.tasks import Status, Stdio
from moorage_testkit import lives, resources
from moorage_testkit.daemons import Daemon
from moorage_testkit.worlds import verify_world

COUNT = "i=0; while :; do i=$((i+1)); echo $i; usleep 2000; done"
PATIENCE = 60.0
Play = Callable[[Callable[["Stage"], Coroutine[Any, Any, None]]], None]


class Stage:
    """Containers of one client."""

    def __init__(self, client: Client, daemon: Daemon, spec: dict[str, Any], folder: Path) -> None:
        self.client, self.tasks, self.daemon = client, client.tasks, daemon
        self._spec, self._folder = spec, folder

    async def run(self, id: str, script: str) -> None:
        """Its output goes to a file."""
        linux = {**self._spec["linux"], "cgroupsPath": f"/{self.client.namespace}/{id}"}
        process = {**self._spec["process"], "args": ["sh", "-c", script]}
        spec = spec_payload({**self._spec, "linux": linux, "process": process})
        await self.client.containers.create(Container(id, runtime=Runtime("io.containerd.runc.v2"), spec=spec))
        output = f"file://{self._folder}/{id}"
        await self.tasks.create(id, stdio=Stdio("", output, output))
        await self.tasks.start(id)

    async def remove(self, id: str) -> None:
        if (await self.tasks.get(id)).status is not Status.STOPPED:
            await self.tasks.kill(id, signal.SIGKILL)
        await self.tasks.wait(id)
        await self.tasks.delete(id)
        await self.client.containers.delete(id)

    def numbers(self, id: str) -> list[int]:
        """What it has counted so far."""
        return [int(line) for line in (self._folder / id).read_text().split("\n")[:-1]]

    async def until_more(self, id: str, than: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while len(self.numbers(id)) <= than:
                await asyncio.sleep(0.02)

    def check_numbers(self, id: str) -> None:
        assert all(after == before + 1 for before, after in pairwise([0, *self.numbers(id)]))


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.fixture
def play(daemon: Daemon, namespace: str, spec: dict[str, Any], tmp_path: Path) -> Play:
    """Runs a coroutine function with a stage; events are told in order, and in the end the world is clean."""

    def play(body: Callable[[Stage], Coroutine[Any, Any, None]]) -> None:
        async def main() -> None:
            async with connect(daemon.address, namespace) as client, lives.listening(client) as heard:
                async with asyncio.timeout(10 * PATIENCE):
                    await body(Stage(client, daemon, spec, tmp_path))
            heard.assert_told()
            assert all(len(told) == 1 for told in heard.exits.values())

        asyncio.run(main())
        verify_world(daemon.world).assert_clean()

    return play


@pytest.mark.timeout(600)
def test_the_daemon_stands_still(play: Play, full: bool) -> None:
    """Output goes on, and what ends meanwhile is told afterwards, with its status."""

    async def body(stage: Stage) -> None:
        await stage.run("writer", COUNT)
        for code in range(5):
            await stage.run(f"short-{code}", f"sleep 0.{code + 3}; exit {code}")
        waits = [asyncio.create_task(stage.tasks.wait(f"short-{code}")) for code in range(5)]
        await asyncio.sleep(0.1)
        with stopped(stage.daemon.pid):
            before = len(stage.numbers("writer"))
            await asyncio.sleep(60 if full else 2)
            await stage.until_more("writer", before)
        assert [(await waiting).status for waiting in waits] == list(range(5))
        assert (await stage.tasks.get("writer")).status is Status.RUNNING
        for id in ("writer", *(f"short-{code}" for code in range(5))):
            await stage.remove(id)
        stage.check_numbers("writer")

    play(body)


@pytest.mark.timeout(600)
def test_the_monitor_stands_still(play: Play) -> None:
    """Who asks for states hears that they are unknown, everything else goes on, and what was asked is done later."""

    async def body(stage: Stage) -> None:
        await stage.run("writer", COUNT)
        await stage.run("victim", COUNT)
        await stage.run("short", "sleep 0.3; exit 7")
        waiting = asyncio.create_task(stage.tasks.wait("short"))
        with stopped(resources.monitor(stage.daemon)):
            killing = asyncio.create_task(stage.tasks.kill("victim", signal.SIGKILL))
            getting = asyncio.create_task(stage.tasks.get("writer"))
            listing = asyncio.create_task(stage.tasks.list())
            before = len(stage.numbers("writer"))
            for _ in range(5):
                await asyncio.wait_for(stage.client.images.list(), PATIENCE)
                await stage.client.containers.get("writer")
            assert not (getting.done() or listing.done()), "the state of a task was told without its monitor"
            found = await asyncio.wait_for(listing, PATIENCE)
            assert {each.container_id: each.status for each in found} == dict.fromkeys(
                ("short", "victim", "writer"), Status.UNKNOWN
            )
            with pytest.raises(errors.DeadlineExceeded, match="state not told within 2 s"):
                await asyncio.wait_for(getting, PATIENCE)
            await stage.until_more("writer", before)
            assert not (killing.done() or waiting.done())
        await asyncio.wait_for(killing, PATIENCE)
        assert (await stage.tasks.wait("victim")).status == 137
        assert (await waiting).status == 7
        assert (await stage.tasks.get("writer")).status is Status.RUNNING
        for id in ("writer", "victim", "short"):
            await stage.remove(id)
        stage.check_numbers("writer")

    play(body)
