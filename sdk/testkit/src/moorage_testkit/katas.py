"""A program that speaks Kata's side of the shim protocol, and misbehaves as it is told; its machines are ``sleep``.

As ``containerd-shim-kata-v2`` does: one shim and one machine for each pod, which later containers join by annotations
of the kubelet's; a start that reads an ``Any`` of options and answers a plain address or JSON; a log in the bundle's
FIFO; events through ttrpc; an end when its last container is deleted, and a ``delete`` that takes the machine away.

    kata = Kata(tmp_path, die=("Create",))
    daemon.ctr("run", "--runtime", str(kata.path), ...)
    assert kata.told("start")[0]["config_path"] == "/etc/kata.toml"
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from pathlib import Path
from typing import Any

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message

from moorage_api import methods
from moorage_api.convert import timestamps
from moorage_api.messages import events, runtime_options, shim_v3
from moorage_sdk import errors
from moorage_testkit.fakes.shims import Process, Shim
from moorage_ttrpc import blocking, sockets

PROGRAM = "containerd-shim-kata-v2"
TYPE = "io.kubernetes.cri.container-type"
SANDBOX_ID = "io.kubernetes.cri.sandbox-id"
"""pkg/annotations of containerd's CRI; Kata looks for them in ``config.json``."""

FORWARDING = "containerd.services.events.ttrpc.v1.Events"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Script:
    """What the program does. Methods are those of the Task and Sandbox APIs.

    ``answer`` is ``plain`` or ``json``. ``hang`` are methods that it never answers, ``die`` those in which it dies,
    ``unknown`` those that it answers with an error of no class. ``litter`` leaves its socket behind when it dies.
    ``slow`` is how many seconds ``delete`` takes. ``lies`` are told as events: topic to namespace and container id.
    ``status`` is what every process ends with, if not as it should.
    """

    answer: str = "plain"
    sandboxes: bool = False
    hang: tuple[str, ...] = ()
    die: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    litter: bool = False
    slow: float = 0.0
    lies: tuple[tuple[str, str, str], ...] = ()
    status: int = -1


class Kata:
    """The program in ``folder``, and what it was told there."""

    def __init__(self, folder: Path, **script: Any) -> None:
        self.folder = folder
        self.path = folder / PROGRAM
        self.path.write_text(f'#!/bin/sh\nexec {sys.executable} -I -m moorage_testkit.katas {folder} "$@"\n')
        self.path.chmod(0o755)
        self.does(**script)

    def does(self, **script: Any) -> None:
        """From now on, and also where it runs already."""
        temporary = self.folder / "script.new"
        temporary.write_text(json.dumps(asdict(Script(**script))))
        temporary.rename(self.folder / "script.json")

    def forget(self) -> None:
        """What it was told so far, and whom it served."""
        for pattern in ("told", "shim-*", "machine-*"):
            for file in self.folder.glob(pattern):
                file.unlink()

    def told(self, action: str) -> list[dict[str, Any]]:
        """What it was told with each call of that name: ``start``, ``delete``, ``Create``."""
        return [line for line in _lines(self.folder) if line["action"] == action]

    def shim(self, pod: str) -> int:
        """The pid of the shim of a pod."""
        return int((self.folder / f"shim-{pod}").read_text())

    def machine(self, pod: str) -> int:
        return int((self.folder / f"machine-{pod}").read_text())

    @property
    def sockets(self) -> list[Path]:
        return sorted(self.folder.glob("*.sock"))


class KataShim(Shim):
    """The one that serves; ``pod`` is the id of the first container, whose machine it is."""

    def __init__(self, folder: Path, namespace: str, pod: str, address: str, ended: asyncio.Event) -> None:
        script = _script(folder)
        super().__init__(_socket(folder, namespace, pod), 3 if script.answer == "json" else 2)
        self.sandboxes = {} if script.sandboxes else None
        self.leave = self._end_soon
        self.folder, self.pod, self.address, self.ended = folder, pod, address, ended
        self.machine: subprocess.Popen[bytes] | None = None
        self._telling: set[asyncio.Task[None]] = set()

    def boot(self) -> None:
        self.machine = subprocess.Popen(["sleep", "1000000"], start_new_session=True)
        (self.folder / f"machine-{self.pod}").write_text(str(self.machine.pid))

    def halt(self) -> None:
        if self.machine:
            self.machine.kill()
            self.machine.wait()

    async def _begin(self, method: str) -> None:
        script = _script(self.folder)
        if method in script.die:
            if not script.litter:
                self.path.unlink()
            os._exit(1)
        if method in script.unknown:
            raise errors.Error("the agent does not answer")
        self.hang = set(script.hang)
        await super()._begin(method)

    async def _create(self, request: Any, key: tuple[str, str, str], response: Any) -> Any:
        spec = json.loads(Path(request.bundle, "config.json").read_text())
        _note(
            self.folder,
            action="Create",
            id=request.id,
            config_path=_config_path(request.options),
            annotations=spec.get("annotations") or {},
            rootfs=[[each.type, list(each.options)] for each in request.rootfs],
        )
        await super()._create(request, key, response)
        self._tell(key[0], "/tasks/create", events.TaskCreate(container_id=request.id, pid=self._pid))
        return response(pid=self._pid)

    async def _createsandbox(self, request: Any, key: tuple[str, str]) -> Any:
        _note(self.folder, action="CreateSandbox", id=request.sandbox_id, annotations=dict(request.annotations))
        return await super()._createsandbox(request, key)

    async def _start(self, request: Any, key: tuple[str, str, str], response: Any) -> Any:
        await super()._start(request, key, response)
        for topic, namespace, id in _script(self.folder).lies:
            lie = events.TaskExit(container_id=id, id=id, pid=1, exit_status=9)
            self._tell(namespace, topic, lie)
        if not key[2]:
            self._tell(key[0], "/tasks/start", events.TaskStart(container_id=request.id, pid=self._pid))
        words = self._words(key)
        if words[:1] == ["exit"]:
            asyncio.get_running_loop().call_soon(self.exit, *key, int(words[1]))
        return response(pid=self._pid)

    def exit(self, namespace: str, id: str, exec_id: str = "", status: int = 0) -> None:
        scripted = _script(self.folder).status
        status = status if scripted < 0 else scripted
        super().exit(namespace, id, exec_id, status)
        at = timestamps.to_message(time.time_ns())
        event = events.TaskExit(container_id=id, id=exec_id or id, pid=self._pid, exit_status=status, exited_at=at)
        self._tell(namespace, "/tasks/exit", event)

    async def _delete(self, request: Any, key: tuple[str, str, str], response: Any) -> Any:
        said = await super()._delete(request, key, response)
        if not key[2]:
            event = events.TaskDelete(container_id=request.id, pid=self._pid, exit_status=said.exit_status)
            self._tell(key[0], "/tasks/delete", event)
        return said

    async def _shutdown(self, request: Any, key: tuple[str, str, str], response: Any) -> Any:
        if not self.tasks and not self.sandboxes:
            self._end_soon()
        return await super()._shutdown(request, key, response)

    def _add(self, request: Any, key: tuple[str, str, str]) -> Process:
        """All processes are the machine to the host."""
        made = super()._add(request, key)
        made.pid = self._pid
        return made

    @property
    def _pid(self) -> int:
        return self.machine.pid if self.machine else 0

    def _end_soon(self) -> None:
        asyncio.get_running_loop().call_later(0.05, self.ended.set)

    def _words(self, key: tuple[str, str, str]) -> list[str]:
        """What the container is to run; an exec runs until it is killed."""
        request = self.tasks[key].request
        if key[2]:
            return []
        arguments = json.loads(Path(request.bundle, "config.json").read_text())["process"]["args"]
        return str(arguments[-1]).split()

    def _tell(self, namespace: str, topic: str, event: Message) -> None:
        task = asyncio.get_running_loop().create_task(
            asyncio.to_thread(_forward, self.address, namespace, topic, event)
        )
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def told_all(self) -> None:
        """Returns when all events are with the daemon."""
        await asyncio.gather(*self._telling)


def main(folder: Path, argv: Sequence[str]) -> int:
    """The program, by the shim v2 contract (docs/runtime-v2.md in containerd)."""
    if argv[:1] == ["-v"]:
        sys.stdout.write(f"{PROGRAM}: Version: 3.26.0\n")
        return 0
    namespace, id, action = argv[argv.index("-namespace") + 1], argv[argv.index("-id") + 1], argv[-1]
    if action == "serve":
        return asyncio.run(_serve(folder, namespace, id))
    if action == "delete":
        _note(folder, action=action, id=id)
        return _delete(folder, id)
    told = AnyMessage.FromString(sys.stdin.buffer.read())
    _note(folder, action=action, id=id, type=told.type_url, config_path=_config_path(told))
    pod = _pod() or id
    socket = _socket(folder, namespace, pod)
    if pod == id:
        _start(folder, argv)
    elif not sockets.alive(socket):
        sys.stderr.write(f"no machine for pod {pod}\n")
        return 1
    plain = _script(folder).answer == "plain"
    sys.stdout.write(f"unix://{socket}" if plain else json.dumps(_answer(socket)))
    return 0


def _start(folder: Path, argv: Sequence[str]) -> None:
    """A process that stays behind; it is served when it has said so."""
    command = [sys.executable, "-I", "-m", "moorage_testkit.katas", str(folder), *argv[:-1], "serve"]
    with (folder / "log").open("a") as output:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=output, start_new_session=True
        )
    assert child.stdout is not None
    child.stdout.readline()
    child.returncode = 0


async def _serve(folder: Path, namespace: str, pod: str) -> int:
    ended = asyncio.Event()
    shim = KataShim(folder, namespace, pod, os.environ["TTRPC_ADDRESS"], ended)
    (folder / f"shim-{pod}").write_text(str(os.getpid()))
    with open("log", "w") as fifo:  # without a reader this would wait for ever
        fifo.write(f"kata: pod {pod} begins\n")
    shim.boot()
    try:
        async with shim:
            os.write(1, b"ready\n")
            os.dup2(2, 1)
            await ended.wait()
            await shim.told_all()
    finally:
        shim.halt()
    return 0


def _delete(folder: Path, id: str) -> int:
    """Take away what a dead shim left: its machine, if the id is the pod's, and its socket."""
    time.sleep(_script(folder).slow)
    with suppress(OSError, ValueError):
        pid = int((folder / f"machine-{id}").read_text())
        if b"1000000" in Path(f"/proc/{pid}/cmdline").read_bytes():  # it may be a stranger's by now
            os.kill(pid, signal.SIGKILL)
    said = shim_v3.DeleteResponse(exit_status=137, exited_at=timestamps.to_message(time.time_ns()))
    sys.stdout.buffer.write(said.SerializeToString())
    return 0


def _forward(address: str, namespace: str, topic: str, event: Message) -> None:
    request = (
        methods.service(FORWARDING)
        .methods["Forward"]
        .request(
            envelope={
                "timestamp": timestamps.to_message(time.time_ns()),
                "namespace": namespace,
                "topic": topic,
                "event": {"type_url": event.DESCRIPTOR.full_name, "value": event.SerializeToString()},
            }
        )
    )
    try:
        blocking.call(Path(address), FORWARDING, "Forward", request.SerializeToString(), (), 10)
    except errors.Error as error:
        log.warning("event %s: not told: %s", topic, error)


def _pod() -> str:
    """The pod that the container in the working directory joins; "" for one that has a machine of its own."""
    annotations = json.loads(Path("config.json").read_text()).get("annotations") or {}
    return str(annotations.get(SANDBOX_ID, "")) if annotations.get(TYPE) == "container" else ""


def _socket(folder: Path, namespace: str, pod: str) -> Path:
    return folder / f"{sha256(f'{namespace}/{pod}'.encode()).hexdigest()[:16]}.sock"


def _answer(socket: Path) -> dict[str, object]:
    return {"version": 3, "address": f"unix://{socket}", "protocol": "ttrpc"}


def _config_path(options: Any) -> str:
    kind = runtime_options.Options
    if options.type_url.rpartition("/")[2] != kind.DESCRIPTOR.full_name:
        return ""
    return str(kind.FromString(options.value).config_path)


def _script(folder: Path) -> Script:
    told = json.loads((folder / "script.json").read_text())
    return Script(**{each.name: _frozen(told[each.name]) for each in fields(Script)})


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _note(folder: Path, **line: Any) -> None:
    with (folder / "told").open("a") as told:
        told.write(json.dumps(line) + "\n")


def _lines(folder: Path) -> list[dict[str, Any]]:
    file = folder / "told"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
