"""Claims: what a daemon says it has, asked through its API.

Which directories a snapshotter may have follows from mounts: of active snapshots and views directly, of committed ones
through views, which are removed again and held by a lease in between.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from moorage_client.clients import Client, connect
from moorage_sdk import content, errors
from moorage_sdk.mounts import Mount
from moorage_sdk.snapshots import Info, Kind
from moorage_sdk.tasks import Status
from moorage_testkit.traces import SNAPSHOTTERS

STACKING = frozenset({"overlayfs"})
"""Snapshotters whose mounts show the directories of all parents, so that a view of every leaf is enough."""

_DIRECTORIES = ("upperdir=", "workdir=", "lowerdir=", "lowerdir+=")
_REFERENCES = "containerd.io/gc.ref.content."
_OWN = (f"{_REFERENCES}config", f"{_REFERENCES}l.")
"""Labels of a manifest whose blobs a pull must have fetched; those of an index may name other platforms."""


@dataclass(frozen=True)
class Task:
    """``pids`` are all its processes on the host, ``rootfs`` whether the daemon mounted one for it."""

    namespace: str
    id: str
    pid: int
    status: Status
    rootfs: bool
    pids: frozenset[int] = frozenset()

    @property
    def key(self) -> tuple[str, str]:
        return self.namespace, self.id

    @property
    def alive(self) -> bool:
        return self.status in (Status.CREATED, Status.RUNNING, Status.PAUSED, Status.PAUSING)


@dataclass
class Claims:
    """``layers`` by snapshotter are directory names; ``hidden`` counts snapshots whose directory no mount shows.

    ``broken`` are claims that contradict each other, each a sentence. ``points`` are the mount points of activations,
    ``disks`` what is mounted there, which may be files.
    """

    pid: int = 0
    tasks: list[Task] = field(default_factory=list)
    blobs: dict[str, int] = field(default_factory=dict)
    refs: set[str] = field(default_factory=set)
    layers: dict[str, set[str]] = field(default_factory=dict)
    hidden: dict[str, int] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    points: set[str] = field(default_factory=set)
    disks: set[str] = field(default_factory=set)


async def namespaces(address: str) -> frozenset[str]:
    """Those that the daemon knows of."""
    async with connect(address) as client:
        return frozenset(each.name for each in await client.namespaces.list())


async def collect(address: str) -> None:
    """Have garbage collected in all namespaces, and return when it was."""
    known = sorted(await namespaces(address)) or ["default"]  # no new namespace, if that can be helped
    async with connect(address, known[0]) as client:
        lease = await client.leases.create(f"verify-{secrets.token_hex(8)}")
        await client.leases.delete(lease.id, sync=True)


async def ask(address: str, root: Path) -> Claims:
    """All that the daemon says it has, in all namespaces. Raises what the API raises."""
    claims = Claims()
    async with connect(address) as client:
        claims.pid = (await client.plugins.server()).pid
        listed = await client.plugins.list()
        snapshotters = [
            plugin.id for plugin in listed if plugin.type == SNAPSHOTTERS.rstrip(".") and plugin.status == "ok"
        ]
    for snapshotter in snapshotters:
        claims.layers[snapshotter] = set()
        claims.hidden[snapshotter] = 0
    for namespace in sorted(await namespaces(address)):
        async with connect(address, namespace) as client:
            await _content(client, claims)
            await _tasks(client, claims)
            await _activations(client, claims)
            async with client.leased() as leased:
                for snapshotter in snapshotters:
                    await _snapshots(leased, snapshotter, root, claims)
    return claims


async def _content(client: Client, claims: Claims) -> None:
    infos = {info.digest: info async for info in client.contents.walk()}
    claims.blobs |= {info.digest: info.size for info in infos.values()}
    claims.refs |= {f"{client.namespace}/{status.ref}" for status in await client.contents.statuses()}
    for image in await client.images.list():
        subject = f'image "{image.name}" in "{client.namespace}"'
        claims.broken += [f"{subject}: {missing}: not found" for missing in _missing(image.target.digest, infos)]


def _missing(target: str, infos: Mapping[str, content.Info]) -> Iterator[str]:
    """What an image lacks: its target, or blobs of a manifest that it has. A half pulled one is no image yet."""
    if target not in infos:
        yield f"target {target}"
    pending, seen = [target], {target}
    while pending:
        info = infos.get(pending.pop())
        for label, digest in info.labels.items() if info else ():
            if label.startswith(_OWN) and digest not in infos:
                yield f"{label} {digest}"
            if label.startswith(_REFERENCES) and digest not in seen:
                seen.add(digest)
                pending.append(digest)


async def _tasks(client: Client, claims: Claims) -> None:
    containers = {container.id: container for container in await client.containers.list()}
    for process in await client.tasks.list():
        container = containers.get(process.container_id)
        if container is None:
            claims.broken.append(f'task "{process.container_id}" in "{client.namespace}": its container: not found')
        rootfs = bool(container and container.snapshot_key)
        task = Task(client.namespace, process.container_id, process.pid, process.status, rootfs)
        pids: frozenset[int] = frozenset()
        if task.alive:
            pids = frozenset(each.pid for each in await client.tasks.pids(task.id)) | {task.pid}
        claims.tasks.append(Task(task.namespace, task.id, task.pid, task.status, rootfs, pids))


async def _activations(client: Client, claims: Claims) -> None:
    try:
        found = await client.mounts.list()
    except errors.Unimplemented:
        return  # before containerd 2.2
    for active in (each for activation in found for each in activation.active):
        claims.points.add(active.mount_point)
        claims.disks.add(active.mount.source)


async def _snapshots(client: Client, snapshotter: str, root: Path, claims: Claims) -> None:
    infos = [info async for info in client.snapshots(snapshotter).walk()]
    names = {info.name for info in infos}
    for info in infos:
        if info.parent and info.parent not in names:
            subject = f'snapshot "{info.name}" of {snapshotter} in "{client.namespace}"'
            claims.broken.append(f'{subject}: parent "{info.parent}": not found')
    folder = root / f"{SNAPSHOTTERS}{snapshotter}" / "snapshots"
    async for mounts in _all_mounts(client, snapshotter, infos):
        claims.layers[snapshotter] |= _directories(mounts, folder)
    if snapshotter in STACKING:  # mounts of a view show its parents and not its own directory
        claims.hidden[snapshotter] += sum(info.kind is Kind.VIEW for info in infos)


async def _all_mounts(client: Client, snapshotter: str, infos: list[Info]) -> AsyncIterator[tuple[Mount, ...]]:
    snapshots = client.snapshots(snapshotter)
    parents = {info.parent for info in infos}
    for info in infos:
        if info.kind is not Kind.COMMITTED:
            yield await snapshots.mounts(info.name)
        elif info.name not in parents or snapshotter not in STACKING:
            key = f"verify-{secrets.token_hex(8)}"
            yield await snapshots.view(key, info.name)
            await snapshots.remove(key)


def _directories(mounts: Iterable[Mount], folder: Path) -> set[str]:
    """Names of the directories in ``folder`` that mounts refer to."""
    named = set()
    for mount in mounts:
        paths = [mount.source]
        for option in mount.options:
            for prefix in _DIRECTORIES:
                if option.startswith(prefix):
                    paths += option.removeprefix(prefix).split(":")
        for path in paths:
            if Path(path).is_relative_to(folder) and path != str(folder):
                named.add(Path(path).relative_to(folder).parts[0])
    return named
