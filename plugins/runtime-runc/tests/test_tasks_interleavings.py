"""Calls, commands and exits in every order that they may take: the monitor over a machine that is simulated.

Each seed is one race. ``MOORAGE_SCALE=full`` tries many more seeds, ``MOORAGE_SEED`` one alone.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as Packed

from moorage_api.convert import timestamps, typeurls
from moorage_api.messages import runc_options, shim_v3, ttrpc_events
from moorage_runtime_runc import cgroups, containers, processes
from moorage_runtime_runc.hosts import Host
from moorage_runtime_runc.journals import Journal
from moorage_runtime_runc.publishers import Prepared, Publisher
from moorage_runtime_runc.reapers import UNKNOWN, Ended
from moorage_runtime_runc.records import Index
from moorage_runtime_runc.services import TaskService
from moorage_runtime_runc.shims import NAMESPACE, VERSIONS
from moorage_runtime_runc.tasks import Tasks
from moorage_sdk import errors
from moorage_testkit import interleavings
from moorage_testkit.fakes.machines import Machine
from moorage_testkit.lives import Lives
from moorage_ttrpc.methods import Call
from moorage_ttrpc.peers import Peer

SEEDS = 2000 if os.environ.get("MOORAGE_SCALE") == "full" else 6
KILL, TERM, WINCH = 9, 15, 28

REFUSALS = {
    "Create": {"AlreadyExists"},
    "Start": {"FailedPrecondition", "NotFound", "Error"},
    "Delete": {"FailedPrecondition", "NotFound"},
    "Exec": {"FailedPrecondition", "NotFound", "AlreadyExists"},
    "Kill": {"FailedPrecondition", "NotFound"},
    "Pause": {"FailedPrecondition", "NotFound", "Error"},
    "Resume": {"FailedPrecondition", "NotFound", "Error"},
    "ResizePty": {"FailedPrecondition", "NotFound"},
    "Update": {"FailedPrecondition", "NotFound", "Error"},
}
"""What a call may be answered besides being done. All others find their process, or do not."""

REASONS = ("has stopped", "a stopped container", "not running", "does not exist", "a paused container", "not paused")
"""What a runtime may say where the monitor has no words of its own."""

KILLED = "did not terminate successfully: 137"

RACES = {
    "two-creates": ("nothing", ("create", "create")),
    "create-and-delete": ("nothing", ("create", "delete")),
    "create-and-kill": ("nothing", ("create", "kill", "wait")),
    "start-and-delete": ("created", ("start", "delete")),
    "start-and-kill": ("created", ("start", "kill", "wait")),
    "two-starts": ("created", ("start", "start")),
    "kill-and-delete": ("created", ("kill", "delete", "wait")),
    "exec-and-delete": ("created", ("exec", "delete")),
    "exec-and-exit": ("running", ("exec", "exit", "wait")),
    "execs-and-exit": ("running", ("exec", "exec f", "exec g", "exit")),
    "two-execs": ("running", ("exec", "exec")),
    "exec-and-pause": ("running", ("exec", "pause", "exit")),
    "kill-and-exit": ("running", ("kill", "exit", "wait")),
    "two-kills": ("running", ("kill", "kill", "wait", "wait")),
    "delete-and-wait": ("stopped", ("delete", "wait", "wait")),
    "delete-and-exit": ("running", ("exit", "delete", "delete")),
    "two-deletes": ("stopped", ("delete", "delete", "state")),
    "delete-and-create": ("stopped", ("delete", "create", "create")),
    "pause-and-kill": ("running", ("pause", "kill", "wait")),
    "pause-and-exit": ("running", ("pause", "exit", "resume")),
    "pause-and-resume": ("running", ("pause", "resume", "kill")),
    "pids-and-exit": ("running", ("pids", "exit", "pids")),
    "close-and-exit": ("running", ("close", "exit", "resize")),
    "update-and-exit": ("running", ("update", "exit")),
    "wait-given-up": ("running", ("wait!", "wait", "exit", "wait!")),
    "exec-deleted": ("execing", ("delete e", "end", "wait e")),
    "exec-deleted-twice": ("execing", ("end", "delete e", "delete e", "exec")),
    "exec-killed": ("execing", ("kill e", "end", "wait e", "kill e")),
    "exec-left-behind": ("execing", ("exit", "delete", "wait e", "kill e")),
    "callers-gone": ("running", ("exec!", "kill!", "pause!", "delete!")),
    "callers-gone-at-once": ("nothing", ("create!", "start!", "delete!")),
    "all-at-once": (
        "created",
        (
            "start",
            "exec",
            "exec f",
            "kill e",
            "kill",
            "pause",
            "resume",
            "delete e",
            "delete",
            "wait",
            "wait e",
            "pids",
        ),
    ),
}


REQUESTS = {"Create": "CreateTaskRequest", "Exec": "ExecProcessRequest", "Update": "UpdateTaskRequest"}
WITHOUT_PROCESS = {"Create", "Pids", "Pause", "Resume", "Update"}
SPEC = {"process": {"args": ["true"], "cwd": "/"}, "linux": {"namespaces": [{"type": "pid"}]}}


class Ooms:
    def add(self, container: Any) -> None: ...
    def remove(self, container: Any) -> None: ...


class Heard(Publisher):
    """Listens to the events as they go out."""

    def __init__(self, journal: Journal, lives: Lives) -> None:
        super().__init__(journal, None)
        self._lives = lives

    def send(self, prepared: Prepared) -> None:
        super().send(prepared)
        envelope = ttrpc_events.ForwardRequest.FromString(prepared.data).envelope
        self._lives.hear(timestamps.from_message(envelope.timestamp), typeurls.unpack(envelope.event))


class Race:
    """A monitor, one container "c" in it, and what came of each call."""

    def __init__(self, folder: Path, machine: Machine) -> None:
        self.machine, self.lives = machine, Lives()
        self.bundle = folder / "bundle"
        self.bundle.mkdir()
        (self.bundle / "config.json").write_text(json.dumps(SPEC))
        self.done: Counter[str] = Counter()
        self.waited: list[tuple[str, Any]] = []
        self.journal = Journal(folder / "events")
        host = Host(machine, machine, folder)  # type: ignore[arg-type]
        self.tasks = Tasks(host, Heard(self.journal, self.lives), Index(folder / "tasks"), Ooms())  # type: ignore[arg-type]
        self._methods = TaskService(self.tasks, lambda now: None).services()[VERSIONS[-1]]

    async def call(self, method: str, **fields: Any) -> Any:
        request = getattr(shim_v3, REQUESTS.get(method, f"{method}Request"))(id="c", **fields)
        circumstances = Call(VERSIONS[-1], method, Peer(0, 0, 0), ((NAMESPACE, "test"),))
        return await self._methods[method].handler(request, circumstances)

    async def ask(self, method: str, exec_id: str = "", **fields: Any) -> Any:
        """The answer, None for an error that may be."""
        if method not in WITHOUT_PROCESS:
            fields["exec_id"] = exec_id
        try:
            said = await self.call(method, **fields)
        except errors.Error as error:
            refused = type(error).__name__
            if not (self.machine.killed and KILLED in str(error)):
                assert refused in REFUSALS.get(method, {"NotFound"}), f"{method}: {refused}: {error}"
                assert refused != "Error" or any(reason in str(error) for reason in REASONS), f"{method}: {error}"
            return None
        self.done[f"{method} exec" if exec_id else method] += 1
        return said

    async def play(self, word: str) -> None:
        """An actor of the table of races. With "!" its caller goes away at some moment."""
        await asyncio.sleep(self.machine.chance.choice((0, 0, 0.001, 0.003, 0.01)))
        name, _, exec_id = word.rstrip("!").partition(" ")
        acting = asyncio.create_task(getattr(self, f"_{name}")(exec_id))
        if word.endswith("!"):
            asyncio.get_running_loop().call_later(self.machine.chance.uniform(0, 0.02), acting.cancel)
            await asyncio.wait([acting])
        if not acting.cancelled():
            await acting

    async def prepare(self, state: str) -> None:
        if state == "nothing":
            return
        await self._create("")
        if state == "created":
            return
        await self._start("")
        if state == "execing":
            await self._exec("e")
        if state == "stopped":
            await self._exit("")
            await self._wait("")

    async def finish(self) -> None:
        """End and remove what there is, as a client would who found it so, until there is nothing."""
        await self.machine.quiet()  # of callers that have gone
        for _ in range(20):
            if await self.ask("State") is None:
                return
            await self.ask("Kill", signal=KILL, all=True)
            await asyncio.sleep(0.1)
            await self.ask("Delete")
        raise AssertionError("cannot be removed")

    async def _create(self, _: str) -> None:
        options = typeurls.pack(runc_options.Options())
        await self.ask("Create", bundle=str(self.bundle), options=options)

    async def _start(self, exec_id: str) -> None:
        await self.ask("Start", exec_id)

    async def _exec(self, exec_id: str) -> None:
        exec_id = exec_id or "e"
        await self.ask("Exec", exec_id, spec=typeurls.pack_json(typeurls.PROCESS, {"args": ["true"], "cwd": "/"}))
        await self.ask("Start", exec_id)

    async def _kill(self, exec_id: str) -> None:
        number = self.machine.chance.choice((KILL, KILL, TERM, WINCH))
        await self.ask("Kill", exec_id, signal=number, all=not exec_id and self.machine.chance.random() < 0.5)

    async def _wait(self, exec_id: str) -> None:
        if (said := await self.ask("Wait", exec_id)) is not None:
            self.waited.append((exec_id, said))

    async def _delete(self, exec_id: str) -> None:
        await self.ask("Delete", exec_id)

    async def _state(self, _: str) -> None:
        await self.ask("State")

    async def _pids(self, _: str) -> None:
        await self.ask("Pids")

    async def _pause(self, _: str) -> None:
        await self.ask("Pause")

    async def _resume(self, _: str) -> None:
        await self.ask("Resume")

    async def _close(self, _: str) -> None:
        await self.ask("CloseIO", stdin=True)

    async def _resize(self, _: str) -> None:
        await self.ask("ResizePty", width=80, height=25)

    async def _update(self, _: str) -> None:
        await self.ask("Update", resources=Packed(value=b"{}"))

    async def _exit(self, _: str) -> None:
        self.machine.exit("c", self.machine.chance.randrange(128))

    async def _end(self, _: str) -> None:
        """The exec ends by itself."""
        for process in self.machine.containers["c"].others if "c" in self.machine.containers else ():
            process.end(self.machine.chance.randrange(128))

    def check(self) -> None:
        """Everything was told once, in order and truly, and nothing is left."""
        self.lives.assert_told()
        assert self.lives.open == []
        assert len(self.lives.exits["c", ""]) == self.lives.deleted["c"]
        for exec_id, said in self.waited:
            told = [(each.exit_status, each.exited_at) for each in self.lives.exits["c", exec_id]]
            told += [(UNKNOWN, timestamps.to_message(0))] if exec_id else []  # of an exec that could not be started
            assert (said.exit_status, said.exited_at) in told, f'wait for "{exec_id}": {said}, and not {told}'
        assert self.machine.left() == []
        assert len(self.tasks) == 0
        assert [path.name for path in self.bundle.iterdir()] == ["config.json"]


async def race(folder: Path, machine: Machine, state: str, actors: tuple[str, ...]) -> Race:
    held = Race(folder, machine)
    try:
        await held.prepare(state)
        waits = [asyncio.create_task(held.play(word)) for word in actors if word.startswith("wait")]
        await asyncio.gather(*(held.play(word) for word in actors if not word.startswith("wait")))
        await held.finish()
        await asyncio.gather(*waits)
        await asyncio.sleep(1)  # for what was killed a moment ago to be noticed
    finally:
        held.journal.close()
    held.check()
    return held


def seeds() -> Iterator[int]:
    if one := os.environ.get("MOORAGE_SEED"):
        return iter([int(one)])
    return iter(range(SEEDS))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Counter[str]]:
    """Runs a race with every seed. What was done in all of them together."""
    folder = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else tmp_path

    def run(name: str, lives: float | None = None, mortal: float = 0.0) -> Counter[str]:
        done: Counter[str] = Counter()
        for seed in seeds():
            machine = Pids.machine = Machine(seed, lambda code: Ended(code, time.time_ns()), lives=lives, mortal=mortal)
            monkeypatch.setattr(processes.pidfds, "start_time", machine.start_time)
            monkeypatch.setattr(containers, "program", machine.program)
            monkeypatch.setattr(cgroups, "of", lambda pid: Pids())
            with tempfile.TemporaryDirectory(dir=folder, prefix="moorage-race-") as place:
                try:
                    held = interleavings.run(lambda: race(Path(place), machine, *RACES[name]), seed)  # noqa: B023
                except BaseException as error:
                    error.add_note(f"MOORAGE_SEED={seed}")
                    raise
            done += held.done
        return done

    return run


class Pids(cgroups.Cgroup):
    """Stands for a container's cgroup."""

    machine: Machine

    def pids(self) -> list[int]:
        return self.machine.pids("c")


@pytest.mark.parametrize("name", RACES)
def test_races(run: Callable[..., Counter[str]], name: str) -> None:
    done = run(name)
    assert done["Create"] and done["Delete"]


@pytest.mark.parametrize("name", RACES)
def test_races_of_the_short_lived(run: Callable[..., Counter[str]], name: str) -> None:
    """Init and the execs end by themselves at any moment after their start."""
    assert run(name, lives=0.02)["Create"]


@pytest.mark.parametrize("name", RACES)
def test_races_with_commands_that_are_killed(run: Callable[..., Counter[str]], name: str) -> None:
    """As by kill -9 of runc: the call fails, and can be made again."""
    run(name, mortal=0.1)
