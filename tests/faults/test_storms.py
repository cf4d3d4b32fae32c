"""A daemon that is restarted over and over, and a host that is: what runs is kept, or known to be gone."""

from __future__ import annotations

import asyncio
import random
import shutil
import signal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from moorage_client.clients import Client, connect
from moorage_client.containers import spec_payload
from moorage_sdk.containers import Container, Runtime
from moorage_sdk.tasks import Status, Stdio
from moorage_testkit import resources
from moorage_testkit.daemons import Daemon
from moorage_testkit.resources import Balance
from moorage_testkit.worlds import verify_world

COUNT = "i=0; while :; do i=$((i+1)); echo $i; usleep 20000; done"


class Fleet:
    """Containers that count into files, and are the same processes whenever they are looked at."""

    def __init__(self, daemon: Daemon, namespace: str, spec: dict[str, Any], folder: Path, size: int) -> None:
        self._daemon, self._namespace, self._spec, self._folder = daemon, namespace, spec, folder
        self.ids = [f"ship-{number:02}" for number in range(size)]
        self.pids: dict[str, int] = {}

    async def launch(self, client: Client, id: str) -> None:
        linux = {**self._spec["linux"], "cgroupsPath": f"/{self._namespace}/{id}"}
        process = {**self._spec["process"], "args": ["sh", "-c", COUNT]}
        spec = spec_payload({**self._spec, "linux": linux, "process": process})
        await client.containers.create(Container(id, runtime=Runtime("io.containerd.runc.v2"), spec=spec))
        await self.start(client, id)

    async def start(self, client: Client, id: str) -> None:
        output = f"file://{self._folder}/{id}"
        self.pids[id] = await client.tasks.create(id, stdio=Stdio("", output, output))
        await client.tasks.start(id)

    async def launch_all(self) -> None:
        async with connect(self._daemon.address, self._namespace) as client:
            for id in self.ids:
                await self.launch(client, id)

    async def check(self) -> None:
        async with connect(self._daemon.address, self._namespace) as client:
            found = {each.container_id: (each.pid, each.status) for each in await client.tasks.list()}
        assert found == {id: (pid, Status.RUNNING) for id, pid in self.pids.items()}

    async def sink_all(self) -> None:
        async with connect(self._daemon.address, self._namespace) as client:
            for id in self.ids:
                waiting = asyncio.create_task(client.tasks.wait(id))
                await client.tasks.kill(id, signal.SIGKILL)
                assert (await waiting).status == 137
                await client.tasks.delete(id)
                await client.containers.delete(id)
        for id in self.ids:
            numbers = [int(line) for line in (self._folder / id).read_text().split("\n")[:-1]]
            assert numbers and all(after == before + 1 for before, after in pairwise([0, *numbers]))


@pytest.fixture
def fleet(daemon: Daemon, namespace: str, spec: dict[str, Any], tmp_path: Path, full: bool) -> Fleet:
    fleet = Fleet(daemon, namespace, spec, tmp_path, 50 if full else 3)
    asyncio.run(fleet.launch_all())
    return fleet


@pytest.mark.timeout(3600)
def test_a_storm_of_restarts(daemon: Daemon, fleet: Fleet, chance: random.Random, full: bool) -> None:
    """Gently or not: the containers stay, and the monitor with no descriptor more than before."""
    daemon.restart()
    asyncio.run(fleet.check())
    monitor = resources.monitor(daemon)
    balance = Balance(monitor)
    for _ in range(50 if full else 2):
        chance.choice((daemon.terminate, daemon.kill))()
        daemon.start()
        if chance.random() < 0.5:  # or the next restart comes while this one is still finding everything
            asyncio.run(fleet.check())
    asyncio.run(fleet.check())
    assert resources.monitor(daemon) == monitor
    balance.assert_even()
    verify_world(daemon.world).assert_clean()
    asyncio.run(fleet.sink_all())
    verify_world(daemon.world).assert_clean()


def test_a_host_that_starts_again(daemon: Daemon, namespace: str, fleet: Fleet) -> None:
    """Everything in /run and every process is gone: so are the tasks, and the containers can be started or removed."""
    daemon.kill()
    daemon.sweep()  # kills, unmounts, and removes cgroups and the states of runc
    shutil.rmtree(daemon.state)
    daemon.start()

    async def look() -> None:
        async with connect(daemon.address, namespace) as client:
            assert await client.tasks.list() == []
            assert [each.id for each in await client.containers.list()] == fleet.ids
            first, *others = fleet.ids
            await fleet.start(client, first)
            assert (await client.tasks.get(first)).status is Status.RUNNING
            await client.tasks.kill(first, signal.SIGKILL)
            await client.tasks.wait(first)
            await client.tasks.delete(first)
            for id in (first, *others):
                await client.containers.delete(id)

    asyncio.run(look())
    verify_world(daemon.world).assert_clean()
