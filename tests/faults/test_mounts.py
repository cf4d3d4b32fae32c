"""SIGKILL of the daemon while mounts are activated and deactivated: afterwards there is all of one, or nothing."""

from __future__ import annotations

import asyncio
import random
import shutil
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from moorage_client.clients import connect
from moorage_sdk import errors
from moorage_sdk.activations import Activation
from moorage_sdk.mounts import Mount
from moorage_testkit.daemons import Daemon
from moorage_testkit.worlds import verify_world

NAMES = ("one", "two", "three")

pytestmark = pytest.mark.skipif(not shutil.which("mkfs.ext4", path="/usr/sbin:/sbin"), reason="needs mkfs.ext4")


def plan(folder: Path, name: str) -> list[Mount]:
    """A disk that is made, its loop device, the file system on it, and directories in that."""
    size = "X-containerd.mkfs.size=4MiB"
    made = "X-containerd.mkdir.path={{ mount 1 }}"
    return [
        Mount("mkfs/loop", f"{folder}/{name}.img", (size,)),
        Mount("format/ext4", "{{ mount 0 }}"),
        Mount(
            "format/mkdir/overlay",
            "overlay",
            (f"{made}/upper", f"{made}/work", "lowerdir=/proc", "upperdir={{ mount 1 }}/upper"),
        ),
    ]


class Clients(threading.Thread):
    """Activates and deactivates until the daemon is gone. ``there`` is what is acknowledged of each name."""

    def __init__(self, daemon: Daemon, namespace: str, folder: Path) -> None:
        super().__init__()
        self._daemon, self._namespace, self._folder = daemon, namespace, folder
        self.there: dict[str, Activation | None] = {}
        self.unsure: set[str] = set()
        self.turns = 0

    def run(self) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        await asyncio.gather(*map(self._work, NAMES))

    async def _work(self, name: str) -> None:
        async with connect(self._daemon.address, self._namespace) as client:
            with suppress(errors.Unavailable, errors.Cancelled):
                while True:
                    self.unsure.add(name)
                    labels = {"containerd.io/gc.bref.container": "kept"}
                    self.there[name] = await client.mounts.activate(name, plan(self._folder, name), labels)
                    self.unsure.discard(name)
                    await asyncio.sleep(0.005)
                    self.unsure.add(name)
                    await client.mounts.deactivate(name)
                    self.there[name] = None
                    self.unsure.discard(name)
                    self.turns += 1


async def _settle(daemon: Daemon, namespace: str, clients: Clients) -> None:
    """What the daemon says must be what was acknowledged, where that is known; then end it all."""
    async with connect(daemon.address, namespace) as client:
        found = {each.name: each for each in await client.mounts.list()}
        for name in set(NAMES) - clients.unsure:
            assert found.get(name) == clients.there.get(name), name
        for name, activation in found.items():
            point = Path(activation.active[1].mount_point)
            assert (point / "upper").is_dir() and (point / "work").is_dir()
            await client.mounts.deactivate(name)


def test_killed_while_mounts_come_and_go(
    daemon: Daemon, namespace: str, busybox: str, chance: random.Random, full: bool
) -> None:
    daemon.ctr("-n", namespace, "containers", "create", busybox, "kept")
    folder = daemon.root / "disks"
    folder.mkdir()
    turns = 0
    for _ in range(40 if full else 6):
        clients = Clients(daemon, namespace, folder)
        clients.start()
        time.sleep(0.2 + chance.uniform(0, 0.4))
        daemon.kill()
        clients.join()
        turns += clients.turns
        daemon.start()
        asyncio.run(_settle(daemon, namespace, clients))
        assert _disks(folder) <= {f"{name}.img" for name in NAMES} | {f".{name}.img.mkfs" for name in NAMES}
        verify_world(daemon.world).assert_clean()
    assert turns, "nothing was activated and deactivated in all rounds"
    daemon.ctr("-n", namespace, "containers", "rm", "kept")
    verify_world(daemon.world).assert_clean()


def test_what_is_mounted_survives_the_daemon_and_goes_with_its_container(
    daemon: Daemon, namespace: str, busybox: str
) -> None:
    daemon.ctr("-n", namespace, "containers", "create", busybox, "kept")
    folder = daemon.root / "disks"
    folder.mkdir()

    async def activate() -> Activation:
        async with connect(daemon.address, namespace) as client:
            labels = {"containerd.io/gc.bref.container": "kept"}
            return await client.mounts.activate("kept", plan(folder, "kept"), labels)

    async def listed() -> Sequence[Activation]:
        async with connect(daemon.address, namespace) as client:
            return await client.mounts.list()

    done = asyncio.run(activate())
    Path(done.active[1].mount_point, "upper/file").write_text("kept")
    for _ in range(2):
        daemon.kill()
        daemon.start()
        assert asyncio.run(listed()) == [done]
        assert Path(done.active[1].mount_point, "upper/file").read_text() == "kept"
    verify_world(daemon.world).assert_clean()
    daemon.ctr("-n", namespace, "containers", "rm", "kept")
    verify_world(daemon.world).assert_clean()
    assert asyncio.run(listed()) == []


def _disks(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}
