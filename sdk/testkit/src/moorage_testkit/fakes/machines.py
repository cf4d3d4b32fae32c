"""A kernel and a runc without processes: what a monitor asks of both, for ``interleavings``.

A ``Machine`` stands for the spawner and for the reaper of a monitor. Commands take their time, in steps between which
everything else may happen, so that each seed is another race; with ``mortal`` some are killed between two steps. A
container's init kills all others of its container when it ends, as in a pid namespace of its own, and a process that is
frozen dies when it is thawed. Words of errors are those of runc 1.1.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

KILL, TERM = 9, 15
TERMINATED = 3
"""The exit code of every process after SIGTERM."""

_KILLED = 2
"""Commands that are killed at most: who tries again has to be able to succeed."""


class Failure(Exception):
    """A command ends with an error message."""


@dataclass(eq=False)
class Process:
    """``code`` is None while it runs; ``doomed`` what it dies with as soon as it is thawed."""

    pid: int
    code: int | None = None
    doomed: int | None = None
    frozen: bool = False
    zombie: bool = False
    ended: list[Callable[[], None]] = field(default_factory=list)

    @property
    def alive(self) -> bool:
        return self.code is None

    def signal(self, number: int) -> None:
        """Processes end of SIGKILL and SIGTERM, and take no notice of others."""
        if number in (KILL, TERM):
            self.end(128 + KILL if number == KILL else TERMINATED)

    def end(self, code: int) -> None:
        """With that code, as soon as it is not frozen."""
        if self.frozen:
            self.doomed = code
        elif self.alive:
            self.code = code
            for tell in self.ended:
                tell()

    def thaw(self) -> None:
        self.frozen = False
        if self.doomed is not None:
            self.end(self.doomed)


@dataclass(eq=False)
class Container:
    init: Process | None = None
    started: bool = False
    frozen: bool = False
    others: list[Process] = field(default_factory=list)

    @property
    def processes(self) -> list[Process]:
        return [*self.others, *([self.init] if self.init else [])]


@dataclass(eq=False)
class Watch:
    pid: int
    process: Process
    ended: asyncio.Future[Any]
    fd: int = -1

    def signal(self, number: int) -> None:
        """Raises ProcessLookupError."""
        if self.ended.done() or not self.process.alive:
            raise ProcessLookupError(f"process {self.pid} has ended")
        self.process.signal(number)


class Machine:
    """``ended`` makes of an exit code what the monitor's watches resolve to.

    ``lives`` is how long processes live by themselves, in seconds at most; None is for ever.
    """

    def __init__(
        self, seed: int, ended: Callable[[int], Any], *, lives: float | None = None, mortal: float = 0.0
    ) -> None:
        self.chance = random.Random(seed)
        self.containers: dict[str, Container] = {}
        self.processes: dict[int, Process] = {}
        self.killed = 0
        self.env: dict[str, str] = {}
        self._ended = ended
        self._lives = lives
        self._mortal = mortal
        self._running: set[asyncio.Task[None]] = set()
        self._pid = 100

    # What the monitor calls.

    def spawn(self, argv: Sequence[str], descriptors: Mapping[int, int | None], *_: Any, **__: Any) -> int:
        command = self._born()
        options = dict(zip(argv[1::2], argv[2::2], strict=False))
        verb = next(place for place, word in enumerate(argv) if word in _VERBS)
        work = _VERBS[argv[verb]](self, argv[-2] if argv[verb] == "kill" else argv[-1], argv[verb + 1 :], descriptors)
        task = asyncio.get_running_loop().create_task(self._run(command, Path(options["--log"]), work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return command.pid

    def watch(self, pid: int, started: int | None = None) -> Watch:
        """Raises ProcessLookupError."""
        if started not in (None, pid) or pid not in self.processes:
            raise ProcessLookupError(f"no process {pid}")
        process = self.processes[pid]
        watch = Watch(pid, process, asyncio.get_running_loop().create_future())
        process.ended.append(lambda: self._reap(watch))
        if not process.alive:
            self._reap(watch)
        return watch

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        yield  # nobody but a watch reaps here

    def start_time(self, pid: int) -> int:
        """Its pid, for none is used twice."""
        return pid

    def program(self, pid: int) -> tuple[int, int]:
        """Another one, once a container was started."""
        return 0, int(any(each.started and each.init and each.init.pid == pid for each in self.containers.values()))

    # What the test calls.

    def exit(self, id: str, code: int) -> None:
        """Init ends by itself, if there is one."""
        container = self.containers.get(id)
        if container and container.init:
            container.init.end(code)

    async def quiet(self) -> None:
        """Until no command runs any more."""
        while self._running:
            await asyncio.wait(self._running)

    def pids(self, id: str) -> list[int]:
        container = self.containers.get(id)
        return [process.pid for process in container.processes if process.alive] if container else []

    def left(self) -> list[str]:
        """Containers that are known, processes that run, and zombies that somebody watches."""
        there = [each.pid for each in self.processes.values() if each.alive or each.zombie]
        return [*self.containers, *map(str, there)]

    # Processes.

    def _born(self) -> Process:
        self._pid += 1
        process = self.processes[self._pid] = Process(self._pid)
        return process

    def _reap(self, watch: Watch) -> None:
        """A moment after the end somebody notices, and the zombie is gone."""
        watch.process.zombie = True

        def now() -> None:
            watch.process.zombie = False
            if not watch.ended.done():
                watch.ended.set_result(self._ended(watch.process.code or 0))

        asyncio.get_running_loop().call_later(self._moment(), now)

    def _moment(self) -> float:
        return self.chance.choice((0.0, 0.0, 0.001, 0.002, 0.005))

    def _let_live(self, process: Process) -> None:
        if self._lives is not None:
            code = self.chance.randrange(128)
            asyncio.get_running_loop().call_later(self.chance.uniform(0, self._lives), process.end, code)

    # Commands.

    async def _run(self, command: Process, log: Path, work: Any) -> None:
        code = 0
        try:
            async for _ in work:
                await asyncio.sleep(self._moment())
                if self.killed < _KILLED and self.chance.random() < self._mortal:
                    self.killed += 1
                    code = 128 + KILL
                    break
        except Failure as failure:
            code = 1
            with contextlib.suppress(FileNotFoundError):
                log.write_text(json.dumps({"level": "error", "msg": str(failure)}))
        finally:
            await work.aclose()
        command.end(code)

    async def _create(self, id: str, words: Sequence[str], descriptors: Any) -> Any:
        yield
        if id in self.containers:
            raise Failure("container with given ID already exists")
        container = self.containers[id] = Container()
        yield
        init = container.init = self._born()
        init.ended.append(lambda: self._init_ended(container))
        try:
            yield
            _tell(words, init.pid)
            yield
        except GeneratorExit:
            # Killed before it was done: what it had begun to make hears its pipe close, and ends.
            init.end(1)
            raise

    async def _start(self, id: str, words: Sequence[str], descriptors: Any) -> Any:
        yield
        container = self._container(id)
        if container.init is None or not container.init.alive:
            raise Failure("cannot start a container that has stopped")
        if container.started:
            raise Failure("cannot start an already running container")
        container.started = True
        self._let_live(container.init)
        yield

    async def _exec(self, id: str, words: Sequence[str], descriptors: Any) -> Any:
        yield
        container = self._container(id)
        if container.init is None or not container.init.alive:
            raise Failure("cannot exec in a stopped container")
        if container.frozen:
            raise Failure("cannot exec in a paused container (use --ignore-paused to override)")
        process = self._born()
        container.others.append(process)
        yield
        self._let_live(process)
        _tell(words, process.pid)
        yield

    async def _kill(self, id: str, words: Sequence[str], descriptors: Any) -> Any:
        yield
        container = self._container(id)
        number, everybody = int(words[-1]), "--all" in words
        if not everybody and (container.init is None or not container.init.alive):
            raise Failure("container not running")
        yield
        for process in container.processes if everybody else [container.init]:
            if process is not None:
                process.signal(number)
        yield

    async def _delete(self, id: str, words: Sequence[str], descriptors: Any) -> Any:
        yield
        force = "--force" in words
        if force and id not in self.containers:
            return
        container = self._container(id)
        if container.init is not None and container.init.alive:
            if not force:
                raise Failure(f"cannot delete container {id} that is not stopped: running")
            self._thaw(container)
            container.init.signal(KILL)
            yield
        self.containers.pop(id, None)
        yield

    async def _pause(self, id: str, words: Sequence[str], descriptors: Any) -> Any:
        yield
        container = self._container(id)
        if container.init is None or not container.init.alive:
            raise Failure("container not running")
        yield
        container.frozen = True
        for process in container.processes:
            process.frozen = process.alive
        yield

    async def _resume(self, id: str, words: Sequence[str], descriptors: Any) -> Any:
        yield
        container = self._container(id)
        if not container.frozen:
            raise Failure("container not paused")
        yield
        self._thaw(container)
        yield

    async def _state(self, id: str, words: Sequence[str], descriptors: Any) -> Any:
        yield
        container = self._container(id)
        alive = container.init is not None and container.init.alive
        running = "paused" if container.frozen else "running" if container.started else "created"
        os.write(descriptors[1], json.dumps({"status": running if alive else "stopped"}).encode())
        yield

    async def _update(self, id: str, words: Sequence[str], descriptors: Any) -> Any:
        yield
        self._container(id)

    def _container(self, id: str) -> Container:
        if id not in self.containers:
            raise Failure("container does not exist")
        return self.containers[id]

    def _init_ended(self, container: Container) -> None:
        for process in container.others:
            process.frozen = False  # the kernel wakes them for it, frozen or not
            process.signal(KILL)

    def _thaw(self, container: Container) -> None:
        container.frozen = False
        for process in container.processes:
            process.thaw()


_VERBS: dict[str, Callable[..., Any]] = {
    "create": Machine._create,
    "start": Machine._start,
    "exec": Machine._exec,
    "kill": Machine._kill,
    "delete": Machine._delete,
    "pause": Machine._pause,
    "resume": Machine._resume,
    "state": Machine._state,
    "update": Machine._update,
}


def _tell(words: Sequence[str], pid: int) -> None:
    Path(words[words.index("--pid-file") + 1]).write_text(str(pid))
