"""Out of memory: telling that the kernel killed a process of a container.

cgroup v2 counts kills in ``memory.events`` and wakes who polls it with EPOLLPRI; v1 counts on an eventfd that is
registered with ``cgroup.event_control`` (Documentation/admin-guide/cgroup-v1/memory.rst in Linux).
"""

from __future__ import annotations

import asyncio
import logging
import os
import select
from dataclasses import dataclass
from pathlib import Path

from moorage_api.messages import events
from moorage_runtime_runc.containers import Container
from moorage_runtime_runc.descriptors import Descriptors

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Watched:
    container: Container
    fd: int
    control: int | None = None
    kills: int = 0


class Watcher:
    """Announces /tasks/oom, for v2 once per process that was killed."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        # The loop's own epoll knows only readable and writable, so this one stands behind it.
        self._priority = select.epoll()
        self._watched: dict[int, _Watched] = {}
        self._loop.add_reader(self._priority.fileno(), self._changed)

    def add(self, container: Container) -> None:
        """Watch a container whose cgroup is known. One without a memory controller is not watched."""
        cgroup = container.cgroup
        path = cgroup.path("memory")
        if path is None:
            return
        try:
            watched = _open_v2(container, path) if cgroup.unified else _open_v1(container, path)
        except OSError as error:
            log.info("container %s/%s: no news of its memory: %s", container.namespace, container.id, error)
            return
        self._watched[watched.fd] = watched
        if watched.control is None:
            self._priority.register(watched.fd, select.EPOLLPRI)
        else:
            self._loop.add_reader(watched.fd, self._counted, watched)

    def remove(self, container: Container) -> None:
        for watched in [each for each in self._watched.values() if each.container is container]:
            self._drop(watched)

    def close(self) -> None:
        for watched in list(self._watched.values()):
            self._drop(watched)
        self._loop.remove_reader(self._priority.fileno())
        self._priority.close()

    def _changed(self) -> None:
        for fd, _ in self._priority.poll(0):
            watched = self._watched[fd]
            try:
                kills = _kills(fd)
            except OSError:  # the cgroup is gone
                self._drop(watched)
                continue
            for _ in range(kills - watched.kills):
                _announce(watched.container)
            watched.kills = kills

    def _counted(self, watched: _Watched) -> None:
        try:
            os.eventfd_read(watched.fd)
        except BlockingIOError:
            return
        # The eventfd also counts when the cgroup is removed.
        if watched.control is not None and _removed(watched.control):
            self._drop(watched)
            return
        _announce(watched.container)

    def _drop(self, watched: _Watched) -> None:
        del self._watched[watched.fd]
        if watched.control is None:
            self._priority.unregister(watched.fd)
        else:
            self._loop.remove_reader(watched.fd)
            os.close(watched.control)
        os.close(watched.fd)


def _removed(control: int) -> bool:
    """Whether the cgroup of an open control file is gone."""
    try:
        os.pread(control, 1, 0)
    except OSError:
        return True
    return False


def _announce(container: Container) -> None:
    container.announce(events.TaskOOM(container_id=container.id))


def _open_v2(container: Container, path: Path) -> _Watched:
    with Descriptors() as ours:
        fd = ours.add(os.open(path / "memory.events", os.O_RDONLY | os.O_CLOEXEC))
        kills = _kills(fd)  # raises when the cgroup is going
        return _Watched(container, ours.take(fd), kills=kills)


def _kills(fd: int) -> int:
    lines = os.pread(fd, 4096, 0).split(b"\n")
    return sum(int(line.split()[1]) for line in lines if line.startswith(b"oom_kill "))


def _open_v1(container: Container, path: Path) -> _Watched:
    with Descriptors() as ours:
        control = ours.add(os.open(path / "memory.oom_control", os.O_RDONLY | os.O_CLOEXEC))
        event = ours.add(os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK))
        registration = ours.add(os.open(path / "cgroup.event_control", os.O_WRONLY | os.O_CLOEXEC))
        os.write(registration, f"{event} {control}".encode())
        return _Watched(container, ours.take(event), ours.take(control))
