"""The cgroups of a container, found through its init process; both versions and the hybrid of them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from moorage_sdk import errors
from moorage_sys import mountinfo

ROOT = Path("/sys/fs/cgroup")

_MEMBERSHIP = ("devices", "memory", "pids", "cpu")
"""v1 hierarchies by how likely a runtime has put every process into them."""


@dataclass(frozen=True, slots=True)
class Cgroup:
    """Directories of one cgroup. With v2 there is one, under the empty name; with v1 one for each controller."""

    paths: Mapping[str, Path] = field(default_factory=dict)

    @property
    def unified(self) -> bool:
        return "" in self.paths

    def path(self, controller: str) -> Path | None:
        """Where a controller's files are. A hybrid host counts as v1, as in github.com/containerd/cgroups."""
        return self.paths.get("") or self.paths.get(controller)

    def enter(self, pid: int = 0) -> None:
        """Move a process into it, ourselves without a pid. Raises OSError."""
        for path in sorted(set(self.paths.values())):
            (path / "cgroup.procs").write_text(str(pid), "ascii")

    def pids(self) -> list[int]:
        """All processes in it and in the groups beneath, in no order; none if it is gone."""
        for controller in ("", *_MEMBERSHIP, *self.paths):
            if (path := self.paths.get(controller)) is not None and path.is_dir():
                return sorted(set(_procs(path)))
        return []


def is_unified() -> bool:
    """Whether the host has cgroup v2 alone."""
    return (ROOT / "cgroup.controllers").exists()


def named(name: str) -> Cgroup:
    """The cgroup of that path beneath the root, in every hierarchy that has it.

    Raises errors.InvalidArgument for a path that leads elsewhere, errors.NotFound where no hierarchy has it.
    """
    inner = name.strip("/")
    if not inner or ".." in inner.split("/") or "\0" in inner:
        raise errors.InvalidArgument(f'cgroup "{name}": not a path beneath the root: invalid argument')
    points = {"": ROOT} if is_unified() else {name: point for name, (_, point) in _v1_mounts().items()}
    found = {name: point / inner for name, point in points.items() if (point / inner / "cgroup.procs").exists()}
    if not found:
        raise errors.NotFound(f'cgroup "{name}": not found')
    return Cgroup(found)


def remove(name: str) -> bool:
    """Remove the cgroup of that path from every hierarchy, where it is empty; whether nothing is left of it."""
    inner, busy = name.strip("/"), False
    for entry in mountinfo.read():
        if entry.type in ("cgroup", "cgroup2") and entry.root == "/" and inner and ".." not in inner.split("/"):
            try:
                Path(entry.mount_point, inner).rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                busy = True
    return not busy


def of(pid: int) -> Cgroup:
    """The cgroup of a process. Raises ProcessLookupError if there is no such process."""
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text("utf-8").splitlines()
    except (FileNotFoundError, ProcessLookupError) as error:
        raise ProcessLookupError(f"process {pid}: not found") from error
    if is_unified():
        own = next(line.removeprefix("0::/") for line in lines if line.startswith("0::"))
        return Cgroup({"": ROOT / own})
    return Cgroup(dict(_v1(lines)))


def _v1(lines: list[str]) -> Iterator[tuple[str, Path]]:
    mounts = _v1_mounts()
    for line in lines:
        _, controllers, path = line.split(":", 2)
        for controller in filter(None, controllers.split(",")):
            if controller in mounts:
                root, mount_point = mounts[controller]
                yield controller, mount_point / path.removeprefix(root).lstrip("/")


@cache
def _v1_mounts() -> dict[str, tuple[str, Path]]:
    """Controller -> root of its mount and mount point."""
    found = {}
    for entry in mountinfo.read():
        if entry.type == "cgroup":
            place = ("" if entry.root == "/" else entry.root, Path(entry.mount_point))
            found.update(dict.fromkeys(entry.super_options, place))
    return found


def _procs(path: Path) -> Iterator[int]:
    with contextlib.suppress(OSError):  # a group may vanish while it is walked
        yield from map(int, (path / "cgroup.procs").read_bytes().split())
    with contextlib.suppress(OSError):
        for child in path.iterdir():
            if child.is_dir():
                yield from _procs(child)
