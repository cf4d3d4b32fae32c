"""The slot ``tasks``: running containers.

Methods are coroutines of the daemon's loop, the one exception to "slots block": every one of them waits on a shim, and
there may be thousands of ``wait`` at once. Whatever an implementation does on disk belongs on a pool of its own.

States and errors are containerd's (``core/runtime/v2``, ``cmd/containerd-shim-runc-v2``): ``create`` makes the init
process stopped before its first instruction, ``start`` lets it run, ``exec`` only registers a process that ``start``
with its ``exec_id`` begins, ``wait`` may come before ``start`` and answers until ``delete``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from moorage_sdk.descriptors import Descriptor
from moorage_sdk.events import Payload
from moorage_sdk.mounts import Mount
from moorage_sdk.slots import Slot


class Status(IntEnum):
    """Numbers of ``containerd.v1.types.Status``."""

    UNKNOWN = 0
    CREATED = 1
    RUNNING = 2
    STOPPED = 3
    PAUSED = 4
    PAUSING = 5


@dataclass(frozen=True)
class Stdio:
    """Paths or log URIs (``fifo``, ``binary``, ``file``) as the client gave them; empty is /dev/null."""

    stdin: str = ""
    stdout: str = ""
    stderr: str = ""
    terminal: bool = False


@dataclass(frozen=True)
class Exit:
    """``status`` is the exit code or 128 + signal, 255 when nobody could know. ``exited_at``: ns since the epoch."""

    status: int
    exited_at: int
    pid: int = 0
    id: str = ""


@dataclass(frozen=True)
class Process:
    """A process of a task; ``exec_id`` is empty for init."""

    container_id: str
    exec_id: str
    pid: int
    status: Status
    stdio: Stdio = Stdio()
    exit_status: int = 0
    exited_at: int = 0


RESTORE_FROM = "RestoreFromPath"
"""Annotation of a checkpoint's descriptor: it lies unpacked at this path (plugins/services/tasks/local.go)."""


@dataclass(frozen=True)
class Creation:
    """What a task is created from. ``spec`` is the OCI runtime specification, JSON.

    ``runtime`` is the name or absolute path of a runtime, ``options`` what it is told. A task of a sandbox is created
    in the shim at ``address`` (``ttrpc+unix:///run/x.sock``), which speaks ``version`` of the Task API, if whoever made
    the sandbox told; else where the manager knows the sandbox to be, and errors.NotFound if it does not.

    ``checkpoint`` says by the annotation RESTORE_FROM where the state to restore lies. ``unpacked`` is a directory with
    such a state that becomes the task's own, and goes with it: the manager moves it away.
    """

    id: str
    runtime: str
    spec: bytes
    rootfs: tuple[Mount, ...] = ()
    stdio: Stdio = Stdio()
    options: Payload | None = None
    checkpoint: Descriptor | None = None
    sandbox: str = ""
    address: str = ""
    version: int = 0
    unpacked: str = ""


@dataclass(frozen=True)
class Pid:
    """A process in the container; ``details`` is set for those that ``exec`` started."""

    pid: int
    details: Payload | None = None


class TaskManager(ABC):
    """All methods raise errors.NotFound for a task or process that does not exist in the namespace."""

    @abstractmethod
    async def create(self, namespace: str, creation: Creation) -> int:
        """Returns the pid. Raises errors.AlreadyExists. What fails leaves nothing behind."""

    @abstractmethod
    async def start(self, namespace: str, id: str, exec_id: str = "") -> int:
        """Returns the pid. Raises errors.FailedPrecondition for a process that was started before."""

    @abstractmethod
    async def delete(self, namespace: str, id: str) -> Exit:
        """Raises errors.FailedPrecondition while the task runs."""

    @abstractmethod
    async def delete_process(self, namespace: str, id: str, exec_id: str) -> Exit:
        """Raises errors.FailedPrecondition while the process runs."""

    @abstractmethod
    async def exec(self, namespace: str, id: str, exec_id: str, spec: Payload, stdio: Stdio) -> None:
        """Register a process; ``spec`` is an OCI process, JSON. Raises errors.AlreadyExists, errors.InvalidArgument."""

    @abstractmethod
    async def get(self, namespace: str, id: str, exec_id: str = "") -> Process: ...

    @abstractmethod
    async def list(self, namespace: str) -> list[Process]:
        """Init of every task of the namespace, by id; a shim that does not answer shows Status.UNKNOWN."""

    @abstractmethod
    async def kill(self, namespace: str, id: str, signal: int, *, exec_id: str = "", all: bool = False) -> None:
        """Raises errors.NotFound for a process that is gone, errors.FailedPrecondition for one not yet created."""

    @abstractmethod
    async def wait(self, namespace: str, id: str, exec_id: str = "") -> Exit:
        """Returns when the process has ended, at once if it had. Cancelling ends this call only."""

    @abstractmethod
    async def pause(self, namespace: str, id: str) -> None: ...

    @abstractmethod
    async def resume(self, namespace: str, id: str) -> None: ...

    @abstractmethod
    async def resize(self, namespace: str, id: str, exec_id: str, width: int, height: int) -> None:
        """In columns and rows."""

    @abstractmethod
    async def close_io(self, namespace: str, id: str, exec_id: str, *, stdin: bool) -> None: ...

    @abstractmethod
    async def pids(self, namespace: str, id: str) -> Sequence[Pid]: ...

    @abstractmethod
    async def update(
        self, namespace: str, id: str, resources: Payload | None, annotations: Mapping[str, str] | None = None
    ) -> None:
        """``resources`` is OCI LinuxResources, JSON."""

    @abstractmethod
    async def stats(self, namespace: str, id: str) -> Payload:
        """``io.containerd.cgroups.v1.Metrics`` or ``.v2.Metrics``."""

    @abstractmethod
    async def checkpoint(self, namespace: str, id: str, path: str, options: Payload | None) -> None:
        """Write a checkpoint into the directory ``path``. Raises errors.Unimplemented where the host lacks criu."""


@dataclass(frozen=True)
class Bundle:
    """The directory a runtime works in: ``<state>/io.containerd.runtime.v2.task/<namespace>/<id>``."""

    path: str
    namespace: str
    id: str
    labels: Mapping[str, str] = field(default_factory=dict)


TASKS: Slot[TaskManager] = Slot("tasks", "io.containerd.runtime.v2")
