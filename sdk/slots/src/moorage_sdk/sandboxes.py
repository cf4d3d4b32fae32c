"""Sandboxes: records of them, and the slot ``sandbox-controller``: what runs them.

A sandbox is what containers of one pod share: a virtual machine, or nothing but a name and a network namespace. Its
record runs nothing by itself; the controller that ``sandboxer`` names does (``core/sandbox`` in containerd v2.3).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from moorage_sdk.containers import Runtime
from moorage_sdk.events import Payload
from moorage_sdk.mounts import Mount
from moorage_sdk.platforms import Platform
from moorage_sdk.slots import Slot
from moorage_sdk.tasks import Exit


@dataclass(frozen=True)
class Sandbox:
    """``spec`` is whatever the runtime understands, usually an OCI runtime specification, JSON in a payload.

    ``sandboxer`` is the id of a controller. Times in nanoseconds since the epoch.
    """

    id: str
    runtime: Runtime
    spec: Payload | None = None
    sandboxer: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    extensions: Mapping[str, Payload] = field(default_factory=dict)
    created_at: int = 0
    updated_at: int = 0


class Sandboxes(ABC):
    """The sandbox records of one namespace."""

    @abstractmethod
    def get(self, id: str) -> Sandbox:
        """Raises errors.NotFound."""

    @abstractmethod
    def list(self) -> list[Sandbox]:
        """All, by id."""

    @abstractmethod
    def create(self, sandbox: Sandbox) -> Sandbox:
        """Raises errors.AlreadyExists, errors.InvalidArgument for an id that is none. Runtime and spec may be empty."""

    @abstractmethod
    def update(self, sandbox: Sandbox, paths: Sequence[str] = ()) -> Sandbox:
        """Paths: labels, labels.K, extensions, extensions.K, spec, runtime.

        Without paths all four are replaced, and the runtime's name must agree.
        Raises errors.NotFound, errors.InvalidArgument.
        """

    @abstractmethod
    def delete(self, id: str) -> None:
        """The record goes, what runs does not. Raises errors.NotFound."""


@dataclass(frozen=True)
class Creation:
    """What a sandbox is created from. ``options`` are the client's (the kubelet's configuration of a pod), ``netns``
    the path of a network namespace."""

    sandbox: Sandbox
    rootfs: tuple[Mount, ...] = ()
    options: Payload | None = None
    netns: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Instance:
    """A sandbox that runs. ``created_at`` in nanoseconds since the epoch.

    ``address`` (``ttrpc+unix:///run/x.sock``) and ``version`` say where its containers are created; empty and 0 when
    the controller does not tell. ``spec`` replaces the sandbox's, if there is one.
    """

    id: str
    pid: int = 0
    created_at: int = 0
    address: str = ""
    version: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    spec: Payload | None = None


@dataclass(frozen=True)
class Status:
    """``state`` is the controller's own word (``SANDBOX_READY``); empty for a sandbox that is not there any more.

    Times in nanoseconds since the epoch, 0 for what has not happened.
    """

    id: str
    pid: int = 0
    state: str = ""
    info: Mapping[str, str] = field(default_factory=dict)
    created_at: int = 0
    exited_at: int = 0
    extra: Payload | None = None
    address: str = ""
    version: int = 0


@dataclass(frozen=True)
class Metric:
    """Figures of a sandbox at a moment: nanoseconds since the epoch."""

    id: str
    timestamp: int = 0
    data: Payload | None = None


class SandboxController(ABC):
    """Runs sandboxes. Methods are coroutines of the daemon's loop, as those of ``tasks`` and for the same reason.

    A controller outlives the daemon with what it runs, or finds it again. All methods raise errors.NotFound for a
    sandbox that does not exist in the namespace, unless they say otherwise, and errors.Unavailable while whoever
    carries it cannot be reached. Events are published by the service, not here.
    """

    @abstractmethod
    async def create(self, namespace: str, creation: Creation) -> None:
        """Make what ``start`` needs. Raises errors.AlreadyExists. What fails leaves nothing behind."""

    @abstractmethod
    async def start(self, namespace: str, id: str) -> Instance:
        """What fails to start is gone, with all that ``create`` made."""

    @abstractmethod
    async def platform(self, namespace: str, id: str) -> Platform:
        """What its containers must be built for."""

    @abstractmethod
    async def stop(self, namespace: str, id: str, timeout: float = 0.0) -> None:
        """Kill what is left after ``timeout`` seconds, at once for 0. A sandbox that is gone is stopped: no error."""

    @abstractmethod
    async def wait(self, namespace: str, id: str) -> Exit:
        """Returns when the sandbox has ended, at once if it had. Cancelling ends this call only."""

    @abstractmethod
    async def status(self, namespace: str, id: str, *, verbose: bool = False) -> Status:
        """``verbose`` fills ``info``. For a sandbox that is gone a status without a state, ended now: no error."""

    @abstractmethod
    async def shutdown(self, namespace: str, id: str) -> None:
        """Remove the sandbox with everything in it, running or not."""

    @abstractmethod
    async def metrics(self, namespace: str, id: str) -> Metric | None:
        """None when the sandbox has no figures."""

    @abstractmethod
    async def update(self, namespace: str, id: str, sandbox: Sandbox, paths: Sequence[str] = ()) -> None:
        """The record has changed in ``paths``; apply what can be applied to a running sandbox, ignore the rest."""


SANDBOX_CONTROLLER: Slot[SandboxController] = Slot("sandbox-controller", "io.containerd.sandbox.controller.v1")
