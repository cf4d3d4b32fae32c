"""Many short lives with execs in them: what is told of each comes in order, once, and is true; and nothing piles up."""

from __future__ import annotations

import asyncio
import random
import signal
from typing import Any

import pytest

from moorage_client.clients import Client, connect
from moorage_client.containers import spec_payload
from moorage_sdk.containers import Container, Runtime
from moorage_testkit import lives, resources
from moorage_testkit.daemons import Daemon
from moorage_testkit.resources import Balance
from moorage_testkit.worlds import verify_world

AT_ONCE = 8
PER_LIFE = 2.0
"""KiB of memory that each life may leave, of the daemon and of the monitor: I7 of the invariants."""


class Walk:
    """Lives one after the other, several at once; ``expected`` is how each process has to end."""

    def __init__(self, client: Client, spec: dict[str, Any], chance: random.Random) -> None:
        self._client, self._spec, self._chance = client, spec, chance
        self._number = 0
        self.expected: dict[tuple[str, str], int] = {}

    async def go(self, number: int) -> None:
        self._left = number
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(self._work())

    async def _work(self) -> None:
        while self._left > 0:
            self._left -= 1
            self._number += 1
            async with asyncio.timeout(60):
                await self._live(f"life-{self._number}")

    async def _live(self, id: str) -> None:
        tasks = self._client.tasks
        linux = {**self._spec["linux"], "cgroupsPath": f"/{self._client.namespace}/{id}"}
        spec = {**self._spec, "linux": linux, "process": self._process("while :; do sleep 1; done")}
        await self._client.containers.create(
            Container(id, runtime=Runtime("io.containerd.runc.v2"), spec=spec_payload(spec))
        )
        await tasks.create(id)
        waiting = asyncio.create_task(tasks.wait(id))
        await tasks.start(id)
        await asyncio.gather(*(self._exec(id, f"e{number}") for number in range(self._chance.randrange(3))))
        self.expected[id, ""] = 128 + signal.SIGKILL
        await tasks.kill(id, signal.SIGKILL)
        assert (await waiting).status == self.expected[id, ""]
        await tasks.delete(id)
        await self._client.containers.delete(id)

    async def _exec(self, id: str, exec_id: str) -> None:
        """One that ends by itself, or by a signal."""
        tasks, code = self._client.tasks, self._chance.randrange(128)
        killed = self._chance.random() < 0.3
        self.expected[id, exec_id] = 128 + signal.SIGUSR1 if killed else code
        await tasks.exec(id, exec_id, self._process(f"{'kill -USR1 $$; sleep 9' if killed else f'exit {code}'}"))
        await tasks.start(id, exec_id)
        assert (await tasks.wait(id, exec_id)).status == self.expected[id, exec_id]
        assert (await tasks.delete_process(id, exec_id)).status == self.expected[id, exec_id]

    def _process(self, script: str) -> dict[str, Any]:
        return {**self._spec["process"], "args": ["sh", "-c", script]}


async def walk(daemon: Daemon, namespace: str, spec: dict[str, Any], chance: random.Random, number: int) -> None:
    async with connect(daemon.address, namespace) as client, lives.listening(client) as heard:
        walk = Walk(client, spec, chance)
        await walk.go(number)
    heard.assert_told()
    assert {key: [each.exit_status for each in told] for key, told in heard.exits.items()} == {
        key: [status] for key, status in walk.expected.items()
    }
    assert heard.deleted == {id: 1 for id, exec_id in walk.expected if not exec_id}


@pytest.mark.timeout(3600)
def test_what_is_told(daemon: Daemon, namespace: str, spec: dict[str, Any], chance: random.Random, full: bool) -> None:
    asyncio.run(walk(daemon, namespace, spec, chance, 300 if full else 30))
    verify_world(daemon.world).assert_clean()


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_nothing_piles_up(daemon: Daemon, namespace: str, spec: dict[str, Any], chance: random.Random) -> None:
    """The first lives fill pools and caches, so memory is measured from then on."""
    number = 2000
    asyncio.run(walk(daemon, namespace, spec, chance, number // 4))
    pids = {daemon.pid: "daemon", resources.monitor(daemon): "monitor"}
    balance = Balance(*pids)
    asyncio.run(walk(daemon, namespace, spec, chance, number))
    balance.assert_even()
    grown = {pids[pid]: kib / number for pid, kib in balance.growth().items()}
    print(f"KiB more for each life: {grown}")
    assert max(grown.values()) < PER_LIFE, grown
    verify_world(daemon.world).assert_clean()
