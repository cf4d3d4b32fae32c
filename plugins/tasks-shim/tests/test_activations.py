"""Root file systems that are activated for a task."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from moorage_api.messages import types
from moorage_sdk import errors
from moorage_sdk.mounts import Mount
from moorage_sdk.tasks import Creation
from moorage_tasks_shim.activations import Activations
from moorage_testkit.fakes.activations import MemoryMountManager

LOOP, EXT4 = Mount("loop", "/disk"), Mount("format/ext4", "{{ mount 0 }}")
BIND = Mount("bind", "/a", ("rbind",))


class Shim:
    """A binary that says what it mounts by itself; ``asked`` counts."""

    path = Path("/usr/bin/containerd-shim-kata-v2")

    def __init__(self, allowed: str = "", failing: errors.Error | None = None) -> None:
        self.allowed, self.failing, self.asked = allowed, failing, 0

    async def info(self, options: bytes) -> bytes:
        self.asked += 1
        if self.failing:
            raise self.failing
        annotations = {"containerd.io/runtime-allow-mounts": self.allowed} if self.allowed else {}
        return types.RuntimeInfo(name="kata", annotations=annotations).SerializeToString()


def creation(*rootfs: Mount) -> Creation:
    return Creation("web", "io.containerd.runc.v2", b"{}", rootfs=rootfs)


def activate(activations: Activations, *rootfs: Mount, shim: Any = None) -> tuple[tuple[Mount, ...], bool]:
    done, made = asyncio.run(activations.activate("ns", creation(*rootfs), shim))
    return done.rootfs, made


def test_what_a_shim_can_mount_stays_as_it_is() -> None:
    manager, shim = MemoryMountManager(), Shim()
    assert activate(Activations(manager), BIND, shim=shim) == ((BIND,), False)
    assert activate(Activations(None), LOOP) == ((LOOP,), False)
    assert (manager.activations, shim.asked) == ({}, 0)
    asyncio.run(Activations(None).deactivate("ns", "web"))


def test_the_rest_is_activated_by_the_tasks_id_and_kept_by_its_container() -> None:
    manager = MemoryMountManager()
    rootfs, made = activate(Activations(manager), LOOP, EXT4)
    assert made
    assert rootfs == manager.info("ns", "web").system
    assert manager.info("ns", "web").labels == {"containerd.io/gc.bref.container": "web"}


def test_one_that_is_there_is_used_and_not_undone() -> None:
    manager = MemoryMountManager()
    before = manager.activate("ns", "web", [LOOP, EXT4])
    assert activate(Activations(manager), LOOP, EXT4) == (before.system, False)


def test_a_shim_may_mount_something_by_itself() -> None:
    manager, shim = MemoryMountManager(), Shim("loop,format/*")
    activations = Activations(manager)
    assert activate(activations, LOOP, BIND, shim=shim) == ((LOOP, BIND), False)
    activate(activations, LOOP, EXT4, shim=shim)
    assert manager.asked["ns", "web"]["allowed"] == ("loop", "format/*")
    assert shim.asked == 1, "a process each time"


@pytest.mark.parametrize("shim", [Shim(), Shim(failing=errors.Unavailable("no -info"))])
def test_one_that_tells_nothing_mounts_nothing_by_itself(shim: Shim) -> None:
    manager = MemoryMountManager()
    assert activate(Activations(manager), LOOP, EXT4, shim=shim)[1]
    assert manager.asked["ns", "web"]["allowed"] == ()


@pytest.mark.parametrize("failing", [errors.ResourceExhausted("full"), errors.Unimplemented("no root for mkfs")])
def test_a_failure_is_the_callers(failing: errors.Error) -> None:
    with pytest.raises(type(failing)):
        activate(Activations(MemoryMountManager(failing=failing)), LOOP, EXT4)


def test_the_end(caplog: pytest.LogCaptureFixture) -> None:
    manager = MemoryMountManager()
    activations = Activations(manager)
    activate(activations, LOOP, EXT4)
    asyncio.run(activations.deactivate("ns", "web"))
    assert manager.activations == {}
    asyncio.run(activations.deactivate("ns", "web"))
    assert not caplog.text


def test_what_cannot_be_undone_is_told_and_left_to_collections(caplog: pytest.LogCaptureFixture) -> None:
    class Busy(MemoryMountManager):
        def deactivate(self, namespace: str, name: str) -> None:
            raise errors.FailedPrecondition("busy")

    activations = Activations(Busy())
    asyncio.run(activations.deactivate("ns", "web"))
    assert 'mounts of task "web" in namespace "ns": not undone: busy' in caplog.text
    activations.close()


def test_one_after_the_other_in_the_order_of_asking() -> None:
    """A task that is created while the one before it is deleted gets an activation of its own."""

    class Slow(MemoryMountManager):
        def deactivate(self, namespace: str, name: str) -> None:
            time.sleep(0.2)
            super().deactivate(namespace, name)

    async def run() -> None:
        manager = Slow()
        activations = Activations(manager)
        await activations.activate("ns", creation(LOOP, EXT4), None)
        _, (_, made) = await asyncio.gather(
            activations.deactivate("ns", "web"), activations.activate("ns", creation(LOOP, EXT4), None)
        )
        assert made
        assert manager.info("ns", "web")
        assert not activations._turns

    asyncio.run(run())
