"""Traces: what a daemon has left on the host, found by looking and not by asking.

``look`` reads /proc, the cgroup hierarchies and the daemon's directories; nothing is changed. What belongs to which
task is for ``worlds`` to judge.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from moorage_sys import mountinfo

BUNDLES = "io.containerd.runtime.v2.*"
SNAPSHOTTERS = "io.containerd.snapshotter.v1."
CONTENT = "io.containerd.content.v1.content"
RUNC_ROOT = Path("/run/containerd/runc")
"""Where runc keeps its states unless a client says otherwise (``defaults`` of containerd-shim-runc-v2)."""

_PARTIAL = (".tmp", ".part", ".partial", ".new")
_LISTENING = "00010000"
"""``__SO_ACCEPTCON`` of include/uapi/linux/net.h, the flags column of /proc/net/unix."""


@dataclass(frozen=True)
class Process:
    """``mentions`` says how it is tied to the daemon: ``command`` line or ``mounts`` of a namespace of its own."""

    pid: int
    parent: int
    state: str
    name: str
    command: str
    mentions: str

    def __str__(self) -> str:
        return f"{self.pid} {self.name} ({self.command[:160]})"


@dataclass(frozen=True)
class Trace:
    """Everything found. Pairs are (namespace, id); ``layers`` and ``bundles`` map a plugin's URI or place to names."""

    mounts: tuple[str, ...]
    processes: tuple[Process, ...]
    zombies: tuple[Process, ...]
    cgroups: dict[str, tuple[str, str]]
    runtimes: dict[str, tuple[str, str]]
    bundles: dict[str, tuple[str, str]]
    loose: tuple[str, ...]
    layers: dict[str, frozenset[str]]
    blobs: dict[str, int]
    ingests: dict[str, str]
    loops: dict[str, str]


@dataclass(frozen=True)
class Place:
    """A daemon's directories, and the namespaces that containers have cgroups and runtime states under.

    ``others`` are cgroups and states known to be of others, as ``hosted`` found them before the daemon first started.
    """

    root: Path
    state: Path
    namespaces: frozenset[str]
    others: frozenset[str] = frozenset()

    @property
    def content(self) -> Path:
        return self.root / CONTENT


def look(place: Place, daemon: int) -> Trace:
    """See what is there now; ``daemon`` is its pid."""
    processes = list(_processes(place))
    bundles = _bundles(place)
    return Trace(
        mounts=tuple(_mounts(place)),
        processes=tuple(process for process in processes if process.mentions and process.pid != daemon),
        zombies=tuple(_zombies(processes, daemon)),
        cgroups=_cgroups(place, {process.pid for process in processes if process.mentions}),
        runtimes=_runtimes(place),
        bundles=bundles,
        loose=tuple(_loose(place, bundles)),
        layers=_layers(place),
        blobs=_blobs(place),
        ingests=_ingests(place),
        loops=dict(_loops(place)),
    )


def owned(place: Place, trace: Trace) -> frozenset[tuple[str, str]]:
    """Namespace and id of the tasks that are certainly the daemon's: with a bundle, or a state that names one.

    Others may be of a daemon beside it, for cgroups and runc's states are everybody's, and be about to be filled.
    """
    bundles = {(namespace, name.removeprefix(".")) for namespace, name in trace.bundles.values()}
    states = {
        task for folder, task in trace.runtimes.items() if _bundle_of(Path(folder), Path()).is_relative_to(place.state)
    }
    return frozenset(bundles | states)


def _mounts(place: Place) -> Iterator[str]:
    """Mount points beneath the directories, and those elsewhere that show something of them; doubled ones twice."""
    roots = (str(place.root.resolve()) + "/", str(place.state.resolve()) + "/")
    for entry in mountinfo.read():
        beneath = entry.mount_point.startswith(roots)
        layered = any(root in option for root in roots for option in entry.super_options)
        bound = (entry.root + "/").startswith(roots) and entry.mount_point != entry.root
        if beneath or layered or bound:
            yield entry.mount_point


def _processes(place: Place) -> Iterator[Process]:
    needles = tuple(str(path.resolve()).encode() for path in (place.root, place.state))
    own = Path("/proc/self/ns/mnt").readlink()
    spared = _ancestors()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) in spared:
            continue
        try:
            yield _process(entry, needles, own)
        except OSError:
            continue  # ended while it was looked at; each file of /proc has its own error for that


def _process(entry: Path, needles: tuple[bytes, ...], own: Path) -> Process:
    line = (entry / "stat").read_text("utf-8", "replace")
    name, fields = line[line.index("(") + 1 : line.rindex(")")], line[line.rindex(")") + 2 :].split()
    command = (entry / "cmdline").read_bytes()
    mentions = "command" if _about(command.replace(b"\0", b" "), needles) else ""
    if not mentions and fields[0] != "Z" and (entry / "ns" / "mnt").readlink() != own:
        mentions = "mounts" if any(needle in (entry / "mountinfo").read_bytes() for needle in needles) else ""
    text = command.replace(b"\0", b" ").decode("utf-8", "replace").strip()
    return Process(int(entry.name), int(fields[1]), fields[0], name, text, mentions)


def _about(command: bytes, needles: tuple[bytes, ...]) -> bool:
    """Whether a command line names one of the directories or something beneath it, not just a longer name."""
    ends = (b"/", b" ", b":", b",")
    return any(command.endswith(needle) or any(needle + end in command for end in ends) for needle in needles)


def _ancestors() -> set[int]:
    """This process and those above it: a test runner may well have the directories on its command line."""
    found, pid = set(), os.getpid()
    while pid > 0:
        found.add(pid)
        line = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
        pid = int(line[line.rindex(")") + 2 :].split()[1])
    return found


def _zombies(processes: list[Process], daemon: int) -> Iterator[Process]:
    """Ended children that the daemon, or something that mentions its directories, has not waited for."""
    ours = {daemon, *(process.pid for process in processes if process.mentions == "command")}
    return (process for process in processes if process.state == "Z" and process.parent in ours)


def hosted(namespaces: Collection[str]) -> Iterator[Path]:
    """What the host has of containers in these namespaces, whose ever they are: runc's states, and cgroups."""
    for folder in shared(namespaces):
        yield from (child for child in _children(folder) if child.is_dir())


def _hosted(place: Place) -> Iterator[Path]:
    return (folder for folder in hosted(place.namespaces) if str(folder) not in place.others)


def _cgroups(place: Place, ours: Collection[int]) -> dict[str, tuple[str, str]]:
    """The hierarchies are everybody's, so cgroups that hold only processes of others are passed over."""
    return {
        str(folder): (folder.parent.name, folder.name)
        for folder in _hosted(place)
        if not folder.is_relative_to(RUNC_ROOT) and (_members(folder) & set(ours) or not _members(folder))
    }


def shared(namespaces: Collection[str]) -> Iterator[Path]:
    """Directories of the host that are named by a namespace, and stay when its last container has gone."""
    for namespace in namespaces:
        yield RUNC_ROOT / namespace
        for entry in mountinfo.read():
            if entry.type in ("cgroup", "cgroup2"):
                yield Path(entry.mount_point, namespace)


def _members(cgroup: Path) -> set[int]:
    try:
        return {int(pid) for pid in (cgroup / "cgroup.procs").read_text("ascii").split()}
    except OSError:
        return set()  # removed while it was looked at


def _runtimes(place: Place) -> dict[str, tuple[str, str]]:
    """runc's states. The directory is everybody's, so states of other daemons' bundles are passed over."""
    return {
        str(folder): (folder.parent.name, folder.name)
        for folder in _hosted(place)
        if folder.is_relative_to(RUNC_ROOT) and _bundle_of(folder, place.state).is_relative_to(place.state)
    }


def _bundle_of(folder: Path, unknown: Path) -> Path:
    """The bundle that a state is of; ``unknown`` for a state that runc did not finish writing."""
    try:
        labels = json.loads((folder / "state.json").read_bytes())["config"]["labels"]
    except (OSError, ValueError, KeyError):
        return unknown
    return next((Path(label.removeprefix("bundle=")) for label in labels if label.startswith("bundle=")), unknown)


def _bundles(place: Place) -> dict[str, tuple[str, str]]:
    found = {}
    for base in (place.state, place.root):
        for plugin in sorted(base.glob(BUNDLES)):
            for namespace in _children(plugin):
                for bundle in _children(namespace):
                    found[str(bundle)] = (namespace.name, bundle.name)
    return found


def _loose(place: Place, bundles: dict[str, tuple[str, str]]) -> Iterator[str]:
    """FIFOs, deaf sockets, dangling links and half-written files outside bundles, snapshots and ingests."""
    listening = {line.split()[7] for line in _unix_sockets() if line.split()[3] == _LISTENING}
    hidden = {*bundles, str(place.content / "ingest")}
    hidden |= {str(path) for path in place.root.glob(f"{SNAPSHOTTERS}*/snapshots")}
    for base in (place.root, place.state):
        for folder, names, files in os.walk(base):
            names[:] = [name for name in names if os.path.join(folder, name) not in hidden]  # noqa: PTH118
            for path in (Path(folder, name) for name in (*files, *names)):
                if _is_loose(path, listening):
                    yield str(path)


def _is_loose(path: Path, listening: set[str]) -> bool:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISLNK(mode):
        return not path.exists()
    if stat.S_ISSOCK(mode):
        return str(path) not in listening
    return stat.S_ISFIFO(mode) or (stat.S_ISREG(mode) and path.name.endswith(_PARTIAL))


def _unix_sockets() -> list[str]:
    lines = Path("/proc/net/unix").read_text("utf-8", "replace").splitlines()[1:]
    return [line for line in lines if len(line.split()) > 7]


def _layers(place: Place) -> dict[str, frozenset[str]]:
    return {
        plugin.name.removeprefix(SNAPSHOTTERS): frozenset(each.name for each in _children(plugin / "snapshots"))
        for plugin in place.root.glob(f"{SNAPSHOTTERS}*")
    }


def _blobs(place: Place) -> dict[str, int]:
    """Sizes by digest; a file whose name is no digest comes out under its odd name and is nobody's."""
    found = {}
    for algorithm in _children(place.content / "blobs"):
        for blob in _children(algorithm):
            found[f"{algorithm.name}:{blob.name}"] = blob.lstat().st_size
    return found


def _ingests(place: Place) -> dict[str, str]:
    """References by folder, as the store was given them; "" for a folder without one."""
    found = {}
    for folder in _children(place.content / "ingest"):
        file = folder / "ref"
        found[str(folder)] = os.fsdecode(file.read_bytes()) if file.is_file() else ""
    return found


def _loops(place: Place) -> Iterator[tuple[str, str]]:
    """Devices with the files in them, of those that lie beneath the directories."""
    roots = tuple(str(path.resolve()) + "/" for path in (place.root, place.state))
    for file in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            backing = file.read_text("utf-8", "replace").strip()
        except OSError:
            continue  # detached while it was looked at
        if backing.startswith(roots):
            yield f"/dev/{file.parts[-3]}", backing


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
