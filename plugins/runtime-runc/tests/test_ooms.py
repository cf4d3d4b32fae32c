from __future__ import annotations

import asyncio
import os
import select
from pathlib import Path
from typing import Any

import pytest

from moorage_runtime_runc import ooms
from moorage_runtime_runc.cgroups import Cgroup


def test_the_kernel_kills_and_the_daemon_hears_of_it(scenario: Any) -> None:
    async def body(node: Any) -> None:
        resources = {"memory": {"limit": 24 << 20}}
        bundle = node.bundle("sh", "-c", "dd if=/dev/zero of=/dev/null bs=64M count=1; sleep 1000", resources=resources)
        await node.create(bundle)
        await node.call("Start")
        await node.until_event("TaskOOM", container_id="c")
        assert await node.status() == "RUNNING"
        await node.call("Kill", signal=9)
        await node.call("Wait")
        await node.call("Delete")

    scenario(body)


class Container:
    """As much of a container as the watcher asks for."""

    namespace, id = "ns", "c"

    def __init__(self, path: Path | None) -> None:
        self.cgroup = Cgroup({} if path is None else {"": path})
        self.events: list[Any] = []

    def announce(self, event: Any) -> None:
        self.events.append(event)


class Priority:
    """Stands in for the epoll that reports EPOLLPRI, which only files of a cgroup do."""

    def __init__(self) -> None:
        self.ready: list[tuple[int, int]] = []
        self.read, self.write = os.pipe()

    def register(self, fd: int, events: int) -> None:
        assert events == select.EPOLLPRI
        self.ready.append((fd, events))

    def unregister(self, fd: int) -> None:
        self.ready = [each for each in self.ready if each[0] != fd]

    def poll(self, timeout: float) -> list[tuple[int, int]]:
        os.read(self.read, 1)
        return self.ready

    def fileno(self) -> int:
        return self.read

    def close(self) -> None:
        os.close(self.read)
        os.close(self.write)


def test_version_2_counts_kills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    priority = Priority()
    monkeypatch.setattr(ooms.select, "epoll", lambda: priority)
    file = tmp_path / "memory.events"
    file.write_text("low 0\noom 1\noom_kill 1\noom_group_kill 0\n")

    async def main() -> None:
        watcher = ooms.Watcher()
        container: Any = Container(tmp_path)
        watcher.add(container)
        watcher.add(Container(None))  # type: ignore[arg-type]  # has no memory controller, so nothing to watch
        file.write_text("low 0\noom 3\noom_kill 3\noom_group_kill 0\n")
        os.write(priority.write, b"x")
        await asyncio.sleep(0.05)
        assert [event.container_id for event in container.events] == ["c", "c"]
        os.write(priority.write, b"x")
        await asyncio.sleep(0.05)
        assert len(container.events) == 2
        watcher.remove(container)
        assert priority.ready == []
        watcher.close()

    asyncio.run(main())


def test_what_cannot_be_watched_leaks_nothing(tmp_path: Path) -> None:
    (tmp_path / "memory.events").mkdir()  # can be opened and not read, as the file of a cgroup that is going

    async def main() -> None:
        watcher = ooms.Watcher()
        before = len(list(Path("/proc/self/fd").iterdir()))
        watcher.add(Container(tmp_path))  # type: ignore[arg-type]  # as above
        assert len(list(Path("/proc/self/fd").iterdir())) == before
        watcher.close()

    asyncio.run(main())
