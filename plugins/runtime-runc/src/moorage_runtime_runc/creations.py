"""Creating a container: root file system, streams, ``runc create``; and undoing all of it when a step fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from moorage_api.messages import events, types
from moorage_runtime_runc import cgroups, checkpoints, consoles, openings, roots, shields, specs, streams
from moorage_runtime_runc.containers import Container
from moorage_runtime_runc.hosts import Host
from moorage_runtime_runc.processes import read_pid
from moorage_runtime_runc.reapers import Watch
from moorage_sdk import errors
from moorage_sdk.mounts import Mount
from moorage_sdk.tasks import Status, Stdio
from moorage_sys import mounts

log = logging.getLogger(__name__)

_ATTEMPTS = 3
"""To get rid of half a container. What killed the runtime once, memory being short, may kill it again."""

_LOOKS, _LOOK = 20, 0.05
"""How often, and with how many seconds in between, a cgroup is tried to be removed."""


@dataclass(frozen=True)
class Creation:
    """A Create request, decoded."""

    id: str
    bundle: Path
    rootfs: tuple[Mount, ...] = ()
    stdio: Stdio = field(default_factory=Stdio)
    checkpoint: str = ""
    parent_checkpoint: str = ""


async def create(container: Container, creation: Creation, host: Host) -> None:
    """Bring ``container`` into the state CREATED. Cancelling is honoured until the runtime runs; nothing is left then.

    Raises errors.Error and its classes; whatever fails is undone before.
    """
    specs.check(creation.bundle)
    container.mounted = bool(creation.rootfs)  # said before it is so: to unmount what is not mounted is no fault
    container.save()
    try:
        with host.reaper.hold():  # a mount may need a helper program, and whoever started it wants its status
            await _mount(container, creation)
        await _open_streams(container, creation, host)
        if creation.checkpoint:
            container.restore_from = creation.checkpoint
            container.parent_checkpoint = creation.parent_checkpoint
        else:
            await shields.uninterrupted(_run(container, host))  # half a container is worse than a late one
    except BaseException:
        await shields.uninterrupted(_undo(container))
        raise
    container.creating = False
    container.announce(_event(container, creation))
    if container.init.watch is not None:
        container.follow_init(container.init.watch)


async def restore(container: Container, host: Host) -> int:
    """Start a container that was created from a checkpoint. Returns its pid. Raises as ``Container.start_init``."""
    init, settings = container.init, container.settings
    async with init.busy:
        container.refuse_start()
        checkpoints.needs_criu()
        with host.reaper.hold():
            async with consoles.console_socket(host.folder, init.stdio.terminal) as console:
                await container.runtime.restore(
                    container.bundle / "init.pid",
                    init.streams.child,
                    console.path if console else None,
                    container.restore_from,
                    settings.criu_work_path or str(container.bundle / "work"),
                    container.parent_checkpoint,
                )
                watch = await _take_over(container, host, console)
        container.restore_from = ""
        init.status = Status.RUNNING
        container.announce(events.TaskStart(container_id=container.id, pid=init.pid))
        container.follow_init(watch)
    return init.pid


async def _mount(container: Container, creation: Creation) -> None:
    """On a thread, as is the look at what others have mounted: the file system below may hang."""
    root = creation.bundle / container.traits.root
    if not creation.rootfs:
        await asyncio.to_thread(roots.check, root)
        return
    rootfs = creation.bundle / "rootfs"
    rootfs.mkdir(mode=0o711, exist_ok=True)
    await asyncio.to_thread(_mount_all, creation.rootfs, rootfs, root)


def _mount_all(wanted: Sequence[Mount], rootfs: Path, root: Path) -> None:
    try:
        mounts.mount_all(wanted, rootfs)
    except OSError as error:
        raise errors.Error(f"failed to mount rootfs component: {error}") from error
    roots.check(root)


async def _open_streams(container: Container, creation: Creation, host: Host) -> None:
    owner = streams.Owner(container.namespace, container.id, container.settings.io_uid, container.settings.io_gid)
    relay = host.relay or container.traits.labelled
    opened = await openings.open_streams(creation.stdio, owner, host, relay=relay, lasting=True)
    container.init.entrust(opened, host.deposits.keeper(container.namespace, container.id))


async def _run(container: Container, host: Host) -> None:
    pid_file = container.bundle / "init.pid"
    with host.reaper.hold():
        async with consoles.console_socket(host.folder, container.init.stdio.terminal) as console:
            stdio = container.init.streams.child
            await container.runtime.create(pid_file, stdio, console.path if console else None)
            await _take_over(container, host, console)


async def _take_over(container: Container, host: Host, console: consoles.ConsoleSocket | None) -> Watch:
    """The runtime has done its work: get hold of the terminal and of the process."""
    init = container.init
    if console is not None:
        init.streams.attach(await console.master())
    init.streams.started()
    return init.born(read_pid(container.bundle / "init.pid"), host.reaper)


async def _undo(container: Container) -> None:
    """Leave nothing of a creation that failed."""
    for _ in range(_ATTEMPTS):
        try:
            await container.runtime.delete(force=True)
            break
        except errors.Error as error:
            log.warning("container %s/%s: not removed from the runtime: %s", container.namespace, container.id, error)
    await _remove_cgroup(container)
    await container.init.deleted()
    try:
        await container.unmount()
    except OSError as error:
        log.warning("container %s/%s: root file system not unmounted: %s", container.namespace, container.id, error)


async def _remove_cgroup(container: Container) -> None:
    """runc that died before it had written down its state does not know what it has made, and neither does the next."""
    for _ in range(_LOOKS):
        if not container.traits.cgroup or cgroups.remove(container.traits.cgroup):
            return
        await asyncio.sleep(_LOOK)  # what it had begun ends by itself, as its pipe is closed
    log.warning("container %s/%s: its cgroup stays: %s", container.namespace, container.id, container.traits.cgroup)


def _event(container: Container, creation: Creation) -> events.TaskCreate:
    stdio = creation.stdio
    return events.TaskCreate(
        container_id=container.id,
        bundle=str(container.bundle),
        rootfs=[
            types.Mount(type=each.type, source=each.source, target=each.target, options=each.options)
            for each in creation.rootfs
        ],
        io=events.TaskIO(stdin=stdio.stdin, stdout=stdio.stdout, stderr=stdio.stderr, terminal=stdio.terminal),
        checkpoint=creation.checkpoint,
        pid=container.init.pid,
    )
