"""The world after a fault: what a daemon says it has, and what is there, must be the same.

    report = verify_world(World(address, root, state, frozenset({"default"})))
    report.assert_clean()

Garbage is collected once; then differences get a few seconds to settle. The world must be quiet meanwhile: nobody
pulls, runs or deletes. Containers of others are left alone as long as they use other namespaces.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from moorage_testkit import claims as claims_
from moorage_testkit import traces
from moorage_testkit.claims import Claims
from moorage_testkit.traces import Place, Trace

SETTLE = 10.0
"""Seconds that a daemon has to finish what it does in the background."""

_POLL = 0.2
_MONITOR = "moorage-monitor"
_SHIM = re.compile(r"-namespace (?P<namespace>\S+) .*-id (?P<id>\S+)")
"""Command line of a shim that serves one container (pkg/shim/util.go in containerd v2.3)."""


@dataclass(frozen=True)
class World:
    """A running daemon. ``namespaces`` are those it once had, besides those it knows now.

    ``pid`` is asked for when 0, which daemons before containerd 1.6.21 cannot answer. ``others`` are cgroups and
    states of containers that were there before it first started, which an earlier user of the host may have left.
    """

    address: str
    root: Path
    state: Path
    namespaces: frozenset[str] = frozenset()
    pid: int = 0
    others: frozenset[str] = frozenset()


@dataclass(frozen=True, order=True)
class Finding:
    """A difference. ``sign``: ``+`` is there and nobody's, ``-`` is said to be and missing, ``!`` is wrong."""

    sign: str
    kind: str
    subject: str
    verdict: str

    def __str__(self) -> str:
        return f"{self.sign} {self.kind} {self.subject}: {self.verdict}"


@dataclass(frozen=True)
class Report:
    findings: tuple[Finding, ...]

    @property
    def clean(self) -> bool:
        return not self.findings

    def of(self, kind: str) -> list[Finding]:
        return [finding for finding in self.findings if finding.kind == kind]

    def assert_clean(self) -> None:
        """Raises AssertionError with the differences, one a line."""
        if self.findings:
            raise AssertionError("the world is not as the daemon says:\n" + str(self))

    def __str__(self) -> str:
        return "\n".join(map(str, self.findings))


def verify_world(world: World, *, settle: float = SETTLE) -> Report:
    """Compare the host with what the daemon says. Raises errors.Unavailable when it does not answer."""
    return asyncio.run(_verify(world, settle))


async def _verify(world: World, settle: float) -> Report:
    deadline = time.monotonic() + settle
    place = Place(world.root, world.state, world.namespaces | await claims_.namespaces(world.address), world.others)
    await claims_.collect(world.address)
    # The views that reveal committed layers leave directories for a while, so only those that were there before count.
    before = traces.look(place, world.pid).layers
    while True:
        claims = await claims_.ask(world.address, world.root)
        trace = traces.look(place, world.pid or claims.pid)
        found = tuple(sorted(set(compare(claims, trace, before, world))))
        if not found or time.monotonic() > deadline:
            break
        await asyncio.sleep(_POLL)
    await claims_.collect(world.address)
    return Report(found + tuple(damaged(claims, place.content / "blobs")))


def compare(claims: Claims, trace: Trace, before: dict[str, frozenset[str]], world: World) -> Iterator[Finding]:
    """Everything but the bytes of blobs."""
    known = {task.key for task in claims.tasks}
    for sentence in claims.broken:
        yield Finding("!", "reference", sentence, "broken")
    yield from _mounts(claims, trace)
    yield from _processes(claims, trace, known)
    yield from _owned("cgroup", trace.cgroups, known)
    yield from _owned("runtime state", trace.runtimes, known)
    yield from _owned("bundle", trace.bundles, known)
    yield from (Finding("+", "loose file", path, "belongs to nothing") for path in trace.loose)
    for device, file in trace.loops.items():
        if file not in claims.disks:
            yield Finding("+", "loop device", f"{device} ({file})", "belongs to nothing")
    yield from _layers(claims, trace, before)
    yield from _content(claims, trace)


def damaged(claims: Claims, blobs: Path) -> Iterator[Finding]:
    """Blobs whose bytes are not what their digest says."""
    for digest in sorted(claims.blobs):
        algorithm, _, encoded = digest.partition(":")
        path = blobs / algorithm / encoded
        if path.is_file():
            with open(path, "rb") as file:
                if hashlib.file_digest(file, algorithm).hexdigest() != encoded:
                    yield Finding("!", "blob", digest, "its bytes have another digest")


def _mounts(claims: Claims, trace: Trace) -> Iterator[Finding]:
    wanted = {_bundle(task.key, trace) + "/rootfs": task for task in claims.tasks if task.rootfs}
    allowed = {_bundle(task.key, trace) + "/rootfs" for task in claims.tasks}
    there = Counter(trace.mounts)
    for point, times in there.items():
        if point not in allowed | claims.points:
            yield Finding("+", "mount", point, "of no task")
        elif times > 1:
            yield Finding("!", "mount", point, f"mounted {times} times")
    for point, task in wanted.items():
        if task.alive and point not in there:
            yield Finding("-", "mount", point, f'task "{task.id}" lives without its root file system')


def _bundle(key: tuple[str, str], trace: Trace) -> str:
    """The bundle of a task in the state directory, which is listed before its counterpart in the root directory."""
    return next((path for path, owner in trace.bundles.items() if owner == key), "")


def _processes(claims: Claims, trace: Trace, known: set[tuple[str, str]]) -> Iterator[Finding]:
    pids = {pid for task in claims.tasks for pid in task.pids}
    monitors = [process for process in trace.processes if process.name == _MONITOR]
    for process in trace.processes:
        shim = _SHIM.search(process.command)
        served = shim is not None and (shim["namespace"], shim["id"]) in known
        if process.state != "Z" and process not in monitors and process.pid not in pids and not served:
            yield Finding("+", "process", str(process), "of no task")
    if len(monitors) > 1:
        yield Finding("!", "process", "; ".join(map(str, monitors)), "more than one node monitor")
    yield from (Finding("+", "process", str(process), "ended and not waited for") for process in trace.zombies)
    for task in claims.tasks:
        if task.alive and not Path(f"/proc/{task.pid}").exists():
            yield Finding(
                "-", "process", str(task.pid), f'init of task "{task.id}", which is {task.status.name.lower()}'
            )


def _owned(kind: str, found: dict[str, tuple[str, str]], known: set[tuple[str, str]]) -> Iterator[Finding]:
    for path, owner in found.items():
        if owner not in known:
            yield Finding("+", kind, path, "of no task")
    if kind == "bundle":
        for namespace, id in sorted(known - set(found.values())):
            yield Finding("-", kind, f"{namespace}/{id}", "its task has none")


def _layers(claims: Claims, trace: Trace, before: dict[str, frozenset[str]]) -> Iterator[Finding]:
    for snapshotter, there in trace.layers.items():
        if snapshotter not in claims.layers:
            continue  # a snapshotter that is not loaded keeps what it has
        wanted = claims.layers[snapshotter]
        extra = _numbered((there & before.get(snapshotter, frozenset())) - wanted)
        surplus = len(extra) - claims.hidden[snapshotter]
        for name in extra[: max(0, surplus)]:
            yield Finding("+", "snapshot", f"{snapshotter}/{name}", "of no snapshot in any namespace")
        if surplus < 0:
            yield Finding("-", "snapshot", snapshotter, f"{-surplus} directories less than snapshots")
        for name in _numbered(wanted - there):
            yield Finding("-", "snapshot", f"{snapshotter}/{name}", "the directory of a snapshot is missing")


def _content(claims: Claims, trace: Trace) -> Iterator[Finding]:
    for digest, size in trace.blobs.items():
        if digest not in claims.blobs:
            yield Finding("+", "blob", digest, "of no namespace")
        elif size != claims.blobs[digest]:
            yield Finding("!", "blob", digest, f"{size} bytes, not {claims.blobs[digest]}")
    for digest in claims.blobs:
        if digest not in trace.blobs:
            yield Finding("-", "blob", digest, "the store does not have it")
    for folder, ref in trace.ingests.items():
        if not any(_same_ref(ref, claimed) for claimed in claims.refs):
            yield Finding("+", "ingest", f"{folder} ({ref})", "of no writer in any namespace")


def _same_ref(backend: str, claimed: str) -> bool:
    """Whether a store's reference, ``namespace/number/ref`` (containerd: ``number/namespace/ref``), is a client's."""
    namespace, _, ref = claimed.partition("/")
    first, _, rest = backend.partition("/")
    second, _, own = rest.partition("/")
    return own == ref and namespace in (first, second)


def _numbered(names: Iterable[str]) -> list[str]:
    """In order of age: names are numbers."""
    return sorted(names, key=_age)


def _age(name: str) -> tuple[int, str]:
    return len(name), name
