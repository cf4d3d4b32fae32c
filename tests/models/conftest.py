"""Stores in processes of their own that can be killed, and the scale of the machines that drive them."""

from __future__ import annotations

import copy
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from moorage_sdk import errors

PROGRAM = Path(__file__).with_name("stores.py")


class Process:
    """The stores of one folder, in a process that can be killed and come again."""

    def __init__(self, orders: socket.socket) -> None:
        self._orders = orders
        # Flushing costs nothing where there is no disk, and what a killed process wrote is there in either case.
        self.folder = Path(tempfile.mkdtemp(prefix="moorage-models-", dir=_memory()))
        self.start()

    def start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            socket.send_fds(self._orders, [os.fsencode(self.folder)], [theirs.fileno()])
        self._connection = Connection(ours.detach())
        self._pid = self._answer()

    def call(self, name: str, *arguments: Any) -> Any:
        """Call a method of ``Stores``. Raises what it raises."""
        self._connection.send((0, name, arguments))
        return self._answer()

    def kill_in(self, effect: int, name: str, *arguments: Any) -> None:
        """Call a method and die before its effect of that number on the disk, or before the answer; start again."""
        self._connection.send((effect, name, arguments))
        self._hang_up()
        self.start()

    def restart(self) -> None:
        """End in order and start again."""
        self._connection.close()
        self._wait()
        self.start()

    def close(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
        self._hang_up()
        shutil.rmtree(self.folder)

    def _hang_up(self) -> None:
        try:
            answer = self._connection.recv()
        except (EOFError, OSError):
            self._connection.close()
            self._wait()
        else:
            raise AssertionError(f"not killed, but answered {answer}")

    def _wait(self) -> None:
        """Until the process is gone with its locks."""
        deadline = time.monotonic() + 30
        while Path(f"/proc/{self._pid}").exists():
            assert time.monotonic() < deadline, f"process {self._pid} does not end"
            time.sleep(0.0005)

    def _answer(self) -> Any:
        verdict, value = self._connection.recv()
        if verdict == "ok":
            return value
        kind = getattr(errors, verdict, None)
        raise AssertionError(value) if kind is None else kind(value)


def _memory() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


@dataclass
class Beside:
    """A store and the model of it. Each call is made of both and must end alike.

    ``model`` has a method for each call, which changes it and returns or raises as the store must; ``look`` shows all
    that can be seen, ``seen`` asks the store for the same; ``torn`` names what a killed call may leave besides
    everything and nothing.
    """

    process: Process
    model: Any
    seen: Callable[[Process], Any]
    torn: Callable[[Any, str, tuple[Any, ...]], list[Any]] = lambda model, name, arguments: []

    def do(self, name: str, *arguments: Any) -> Any:
        wanted = outcome(lambda: getattr(self.model, name)(*arguments))
        got = outcome(lambda: self.process.call(name, *arguments))
        assert got == wanted, f"{name}{arguments}: {got} and not {wanted}"
        return got

    def die(self, effect: int, name: str, *arguments: Any) -> None:
        """Kill the store before that effect of the call. It is as before or as after it, or torn in a known way."""
        before, done = copy.deepcopy(self.model), copy.deepcopy(self.model)
        outcome(lambda: getattr(done, name)(*arguments))
        self.process.kill_in(effect, name, *arguments)
        seen = self.seen(self.process)
        for model in (before, done, *self.torn(before, name, arguments)):
            if model.look() == seen:
                self.model = model
                return
        wanted = f"neither {before.look()} nor {done.look()}"
        raise AssertionError(f"after a crash in {name}{arguments}: {seen}, {wanted}")

    def check(self) -> None:
        seen, wanted = self.seen(self.process), self.model.look()
        assert seen == wanted, f"{seen} and not {wanted}"


def outcome(work: Callable[[], Any]) -> tuple[str, Any]:
    """``("ok", what was returned)``, or the class of the error."""
    try:
        return "ok", work()
    except errors.Error as error:
        return type(error).__name__, None


@pytest.fixture(scope="session")
def start() -> Iterator[Callable[[], Process]]:
    """Starts a store in a folder of its own. Whoever calls it closes the process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        with theirs:
            keeper = subprocess.Popen([sys.executable, str(PROGRAM)], stdin=theirs)
        yield lambda: Process(ours)
        ours.shutdown(socket.SHUT_RDWR)
        assert keeper.wait(30) == 0


@pytest.fixture(scope="session")
def beside() -> type[Beside]:
    return Beside


def scale(examples: int, steps: int) -> settings:
    """The same examples in every run, so that a change is to blame for what a run finds."""
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture(params=["ci", pytest.param("full", marks=pytest.mark.full)])
def scaled(request: pytest.FixtureRequest) -> Callable[[int, int], settings]:
    """Settings for so many examples of so many steps: as given, and at the scale of a release 12 times as many."""
    factor = 12 if request.param == "full" else 1
    return lambda examples, steps: scale(examples * factor, steps)
