"""The daemon's own control group: ``[cgroup] path``, as ``cmd/containerd/server/server_linux.go`` has it.

On a host with the unified hierarchy at ``/sys/fs/cgroup`` the path is one there; on others it is one in each hierarchy
that is mounted beneath.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from moorage_sdk import errors

PLACE = Path("/sys/fs/cgroup")
_CPUSET = ("cpuset.cpus", "cpuset.mems")


def enter(path: str, place: Path = PLACE) -> None:
    """Move this process into the group ``path``, made where it is missing. Empty does nothing.

    Raises errors.InvalidArgument for a path that leads out of the hierarchies, errors.FailedPrecondition for one that
    the kernel refuses.
    """
    if not path:
        return
    parts = PurePosixPath(path).parts
    relative = PurePosixPath(*(part for part in parts if part != "/"))
    if ".." in parts or not relative.parts:
        raise errors.InvalidArgument(f'cgroup.path "{path}": leads out of the hierarchy: invalid argument')
    for hierarchy in hierarchies(place):
        group = hierarchy / relative
        try:
            _make(hierarchy, relative)
            (group / "cgroup.procs").write_text(str(os.getpid()))
        except OSError as error:
            raise errors.FailedPrecondition(
                f'cgroup "{group}": {error.strerror}',
                hint="let the daemon's user write there, or take [cgroup] path out of the configuration",
            ) from error


def hierarchies(place: Path = PLACE) -> list[Path]:
    """Where groups are made: the unified hierarchy, or each of the older ones (links to one of them count once)."""
    if (place / "cgroup.controllers").exists():
        return [place]
    folders = (each for each in sorted(place.iterdir()) if each.is_dir() and not each.is_symlink())
    return [each for each in folders if (each / "cgroup.procs").exists()]


def _make(hierarchy: Path, relative: PurePosixPath) -> None:
    for folder in _down(hierarchy, relative):
        folder.mkdir(mode=0o755, exist_ok=True)
        for name in _CPUSET:  # a new group of the older cpuset has none, and then takes no process
            file = folder / name
            if file.exists() and (folder.parent / name).exists() and not file.read_text().strip():
                file.write_text((folder.parent / name).read_text())


def _down(hierarchy: Path, relative: PurePosixPath) -> Iterator[Path]:
    folder = hierarchy
    for part in relative.parts:
        folder = folder / part
        yield folder
