"""Signals, exits and execs against each other, through a daemon and with real processes.

What each caller is told must be so, events must tell lives in order, and in the end nothing may be left: no process,
descriptor, cgroup, mount, bundle or record. Orders that are too rare to be met here are tried by seed in the tests of
the monitor. ``MOORAGE_SCALE=full`` runs ten thousand races.
"""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from itertools import cycle, islice
from typing import Any

import pytest

from moorage_api.convert import timestamps
from moorage_client.clients import Client, connect
from moorage_client.containers import spec_payload
from moorage_sdk import errors
from moorage_sdk.containers import Container, Runtime
from moorage_sdk.tasks import Exit
from moorage_testkit import lives, resources
from moorage_testkit.daemons import Daemon
from moorage_testkit.lives import Lives
from moorage_testkit.resources import Balance
from moorage_testkit.worlds import verify_world

RUNC = Runtime("io.containerd.runc.v2")
PATIENCE = 60.0
MONITOR = "io.containerd.runtime.v1.runc"
TERMINATED = 77
"""The exit code of what was sent SIGTERM."""

UNTIL_TOLD = f"trap 'exit {TERMINATED}' TERM; while :; do sleep 0.01; done"

STATUSES = {3, TERMINATED, 128 + signal.SIGKILL, 128 + signal.SIGTERM, 2}
"""2 is how Go's runtime, and so runc's init before it becomes the container's, ends of SIGTERM as pid 1."""
EXEC_STATUSES = {5, 128 + signal.SIGKILL, 128 + signal.SIGTERM, 2}

REFUSALS = {
    "create": {"AlreadyExists", "NotFound"},
    "start": {"FailedPrecondition", "NotFound", "Error"},
    "exec": {"FailedPrecondition", "NotFound", "AlreadyExists", "Error"},
    "delete": {"FailedPrecondition", "NotFound"},
    "kill": {"FailedPrecondition", "NotFound"},
    "pause": {"FailedPrecondition", "NotFound", "Error"},
    "resume": {"FailedPrecondition", "NotFound", "Error"},
    "resize": {"FailedPrecondition", "NotFound"},
}
"""What a call may be answered besides being done. All others find their process, or do not."""

REASONS = ("stopped", "not running", "does not exist", "paused", "no such process", "unable to freeze", "exec failed")
"""What the runtime may say where the monitor has no words of its own."""

RACES = {
    "two creates": ("nothing", ("create", "create")),
    "create and delete": ("nothing", ("create", "delete", "wait")),
    "start and delete": ("created", ("start", "delete")),
    "start and kill": ("created", ("start", "kill", "wait")),
    "kill and delete": ("created", ("kill", "delete", "wait")),
    "exec and exit": ("ending", ("exec e", "exec f", "wait")),
    "exec and kill": ("running", ("exec e", "kill", "wait e")),
    "kill and exit": ("ending", ("kill", "kill", "wait")),
    "two kills": ("running", ("kill", "kill", "wait", "wait")),
    "two deletes": ("stopped", ("delete", "delete")),
    "delete and wait": ("stopped", ("delete", "wait", "wait")),
    "delete and exit": ("ending", ("delete", "delete", "wait")),
    "delete and create": ("stopped", ("delete", "create", "create")),
    "pause and kill": ("running", ("pause", "kill", "wait")),
    "pause and exit": ("ending", ("pause", "resume", "wait")),
    "pids and exit": ("ending", ("pids", "pids", "state")),
    "close and exit": ("ending", ("close", "resize", "state")),
    "waits given up": ("ending", ("wait!", "wait!", "wait")),
    "exec deleted": ("execing", ("delete e", "delete e", "wait e")),
    "exec killed": ("execing", ("kill e", "wait e", "delete e")),
    "exec left behind": ("execing", ("kill", "delete", "wait e")),
    "callers gone": ("running", ("exec! e", "kill!", "pause!", "delete!")),
}


class Race:
    """One container, and those who want something of it at the same time."""

    def __init__(self, client: Client, id: str, spec: dict[str, Any], chance: random.Random) -> None:
        self.client, self.id, self.chance = client, id, chance
        self.tasks = client.tasks
        self.process = spec["process"]
        self.spec = {**spec, "linux": {**spec["linux"], "cgroupsPath": f"/{client.namespace}/{id}"}}
        self.waited: list[tuple[str, Exit]] = []
        self.done: Counter[str] = Counter()

    async def play(self, state: str, words: tuple[str, ...]) -> None:
        script = UNTIL_TOLD
        if state in ("ending", "stopped"):
            script = f"{'' if state == 'stopped' else f'sleep {self.chance.uniform(0, 0.05):.3f};'} exit 3"
        spec = {**self.spec, "process": {**self.process, "args": ["sh", "-c", script]}}
        await self.client.containers.create(Container(self.id, runtime=RUNC, spec=spec_payload(spec)))
        await self._prepare(state)
        async with asyncio.timeout(PATIENCE):
            waits = [asyncio.create_task(self._act(word)) for word in words if word.startswith("wait")]
            await asyncio.gather(*(self._act(word) for word in words if not word.startswith("wait")))
            await self._finish()
            await asyncio.gather(*waits)
        await self.client.containers.delete(self.id)

    async def _prepare(self, state: str) -> None:
        if state == "nothing":
            return
        await self._create("")
        if state != "created":
            await self._start("")
        if state == "stopped":
            await self._wait("")
        if state == "execing":
            await self._exec("e")

    async def _act(self, word: str) -> None:
        await asyncio.sleep(self.chance.choice((0, 0, self.chance.uniform(0, 0.06))))
        name, _, exec_id = word.replace("!", "").partition(" ")
        acting = asyncio.create_task(getattr(self, f"_{name}")(exec_id))
        if "!" in word:
            await asyncio.wait([acting], timeout=self.chance.uniform(0, 0.06))
            acting.cancel()
            await asyncio.wait([acting])
        if not acting.cancelled():
            await acting

    async def _finish(self) -> None:
        """End and remove what there is, as somebody would who found it so."""
        while await self._ask("state", self.tasks.get(self.id)) is not None:
            await self._ask("kill", self.tasks.kill(self.id, signal.SIGKILL, all=True))
            await asyncio.sleep(0.01)
            await self._ask("delete", self.tasks.delete(self.id))

    async def _ask(self, name: str, call: Any) -> Any:
        """The answer, None for an error that may be."""
        try:
            said = await call
        except errors.Error as error:
            refused = type(error).__name__
            assert refused in REFUSALS.get(name, {"NotFound"}), f"{name}: {refused}: {error}"
            assert refused != "Error" or any(reason in str(error) for reason in REASONS), f"{name}: {error}"
            return None
        self.done[name] += 1
        return True if said is None else said

    async def _create(self, _: str) -> None:
        await self._ask("create", self.tasks.create(self.id))

    async def _start(self, _: str) -> None:
        await self._ask("start", self.tasks.start(self.id))

    async def _exec(self, exec_id: str) -> None:
        script = f"sleep {self.chance.uniform(0, 0.03):.3f}; exit 5"
        process = {**self.process, "args": ["sh", "-c", script]}
        if await self._ask("exec", self.tasks.exec(self.id, exec_id, process)):
            await self._ask("exec", self.tasks.start(self.id, exec_id))

    async def _kill(self, exec_id: str) -> None:
        number = self.chance.choice((signal.SIGKILL, signal.SIGTERM))
        everybody = not exec_id and self.chance.random() < 0.5
        await self._ask("kill", self.tasks.kill(self.id, number, exec_id=exec_id, all=everybody))

    async def _wait(self, exec_id: str) -> None:
        if exited := await self._ask("wait", self.tasks.wait(self.id, exec_id)):
            self.waited.append((exec_id, exited))

    async def _delete(self, exec_id: str) -> None:
        work = self.tasks.delete_process(self.id, exec_id) if exec_id else self.tasks.delete(self.id)
        await self._ask("delete", work)

    async def _state(self, _: str) -> None:
        await self._ask("state", self.tasks.get(self.id))

    async def _pids(self, _: str) -> None:
        await self._ask("pids", self.tasks.pids(self.id))

    async def _pause(self, _: str) -> None:
        await self._ask("pause", self.tasks.pause(self.id))

    async def _resume(self, _: str) -> None:
        await self._ask("resume", self.tasks.resume(self.id))

    async def _close(self, _: str) -> None:
        await self._ask("close", self.tasks.close_stdin(self.id))

    async def _resize(self, _: str) -> None:
        await self._ask("resize", self.tasks.resize(self.id, "", 80, 25))

    def check(self, heard: Lives) -> None:
        for exec_id, exited in self.waited:
            if exec_id and not exited.exited_at:
                continue  # of one that could not be started
            told = [
                (each.exit_status, timestamps.from_message(each.exited_at)) for each in heard.exits[self.id, exec_id]
            ]
            assert (exited.status, exited.exited_at) in told, f"{self.id} {exec_id}: {exited}, and not {told}"
            assert exited.status in (EXEC_STATUSES if exec_id else STATUSES), f"{self.id} {exec_id}: {exited}"


async def run(daemon: Daemon, namespace: str, spec: dict[str, Any], chance: random.Random, number: int) -> Counter[str]:
    """That many races, four at a time. What was done in them, for races in which nothing is show nothing."""
    todo = iter(list(islice(cycle(RACES.items()), number)))
    races: list[Race] = []

    async def work(client: Client) -> None:
        for name, (state, words) in todo:
            race = Race(client, f"race-{len(races)}", spec, random.Random(chance.randrange(1 << 32)))
            races.append(race)
            try:
                await race.play(state, words)
            except BaseException as error:
                error.add_note(f"{name}: {race.id}")
                raise

    async with connect(daemon.address, namespace) as client:
        async with lives.listening(client) as heard:
            async with asyncio.TaskGroup() as group:
                for _ in range(4):
                    group.create_task(work(client))
    heard.assert_told()
    for race in races:
        race.check(heard)
        assert len(heard.exits[race.id, ""]) == heard.deleted[race.id]
    return sum((race.done for race in races), Counter())


@pytest.mark.timeout(7200)
def test_ten_thousand_races(
    daemon: Daemon, namespace: str, spec: dict[str, Any], chance: random.Random, full: bool
) -> None:
    asyncio.run(run(daemon, namespace, spec, chance, len(RACES)))
    balance = Balance(daemon.pid, resources.monitor(daemon))
    done = asyncio.run(run(daemon, namespace, spec, chance, 10_000 if full else 3 * len(RACES)))
    assert set(done) >= {"create", "start", "exec", "delete", "kill", "pause", "wait", "pids", "state", "close"}
    verify_world(daemon.world).assert_clean()
    balance.assert_even()
    assert list((daemon.state / MONITOR / "tasks").iterdir()) == []  # the records of the monitor
