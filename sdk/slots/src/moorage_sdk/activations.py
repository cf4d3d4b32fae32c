"""The slots ``mount-manager`` and ``mount-handler``: mounts that need more than mount(2).

A list of mounts may hold types that no kernel knows, or say that a file system is to be made first, or speak of mounts
before it in the list. The manager performs as many of them as it must, from the first one on, and hands back what is
left for whoever mounts the root file system. Names and meaning are those of ``core/mount/manager.go`` in containerd.
"""

from __future__ import annotations

import builtins
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from moorage_sdk.mounts import Mount
from moorage_sdk.slots import Slot


@dataclass(frozen=True)
class ActiveMount:
    """A mount that was performed: as it was done, where it shows, and when, in nanoseconds since the epoch.

    ``mount_point`` need not be a directory: that of a loop device is a symbolic link to the device.
    """

    mount: Mount
    mount_point: str
    mounted_at: int = 0
    data: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Activation:
    """``active`` was done by the manager, ``system`` is left to be mounted by the caller; both in order."""

    name: str
    active: tuple[ActiveMount, ...] = ()
    system: tuple[Mount, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


class MountHandler(ABC):
    """Mounts of one type, which is the plugin's id. Both methods block."""

    @abstractmethod
    def mount(self, mount: Mount, target: str, active: Sequence[ActiveMount]) -> ActiveMount:
        """Perform ``mount`` at ``target``, a path whose folder exists and which itself does not.

        ``active`` are the mounts before it in the list. Whatever fails leaves nothing behind.
        Raises OSError, errors.InvalidArgument.
        """

    @abstractmethod
    def unmount(self, target: str) -> None:
        """Undo ``mount``, also of an earlier process or of one that died in the middle. Nothing there is no error.

        Raises OSError while it is in use.
        """


class MountManager(ABC):
    """Activations by namespace and name. They outlive the daemon, but not the host's boot. Methods block."""

    @abstractmethod
    def concerns(self, mounts: Sequence[Mount]) -> bool:
        """Whether ``activate`` with no more than these mounts would do anything."""

    @abstractmethod
    def activate(
        self,
        namespace: str,
        name: str,
        mounts: Sequence[Mount],
        *,
        labels: Mapping[str, str] | None = None,
        temporary: bool = False,
        allowed: Collection[str] = (),
        lease: str = "",
    ) -> Activation:
        """Perform what has to be performed. ``temporary`` performs all and leaves one bind mount of the last.

        ``allowed`` are types that the caller can do by itself, ``format/*`` for a whole transformation. What nothing
        keeps is collected: a lease, or labels ``containerd.io/gc.bref.…``, do.

        Raises errors.Unimplemented when there is nothing to perform (use the mounts as they are),
        errors.AlreadyExists, errors.InvalidArgument, errors.FailedPrecondition without a namespace, and what becomes
        of an OSError. Whatever fails leaves nothing behind.
        """

    @abstractmethod
    def lent(self, mounts: Sequence[Mount]) -> AbstractContextManager[tuple[Mount, ...]]:
        """These mounts as mount(2) can do them, for the length of a with block.

        What had to be performed for it is nobody's but the caller's, is not collected meanwhile, and is undone in the
        end, or by the next daemon. Raises as ``activate``.
        """

    @abstractmethod
    def deactivate(self, namespace: str, name: str) -> None:
        """Undo an activation, last mount first.

        Raises errors.NotFound, and errors.FailedPrecondition when a mount is in use; the name is free all the same,
        and the rest is tried again with each garbage collection.
        """

    @abstractmethod
    def info(self, namespace: str, name: str) -> Activation:
        """Raises errors.NotFound."""

    @abstractmethod
    def update(self, namespace: str, activation: Activation, paths: Sequence[str] = ()) -> Activation:
        """Raises errors.Unimplemented where activations never change."""

    @abstractmethod
    def list(self, namespace: str) -> builtins.list[Activation]:
        """All of a namespace, by name."""


MOUNT_MANAGER: Slot[MountManager] = Slot("mount-manager", "io.containerd.mount-manager.v1")
MOUNT_HANDLER: Slot[MountHandler] = Slot("mount-handler", "io.containerd.mount-handler.v1")
