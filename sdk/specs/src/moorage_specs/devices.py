"""Device nodes and the rules of the device cgroup, as the OCI runtime specification has them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DEFAULT = ((1, 3), (1, 8), (1, 7), (5, 0), (1, 5), (1, 9), (5, 1), (136, None), (5, 2))
"""null, random, full, tty, zero, urandom, console, pts, ptmx: ``WithDefaultUnixDevices`` of pkg/oci/spec_opts.go."""

_SKIPPED = frozenset({"pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev", "console"})
"""Of /dev, what is not a device of the host: ``getDevices`` in pkg/oci/utils_unix.go."""


def default_rules() -> list[dict[str, Any]]:
    """Deny all, then allow what every program needs; without the first rule nothing is denied (GHSA-g54h-m393-cpwq)."""
    allowed = [
        {"allow": True, "type": "c", "major": major, **({} if minor is None else {"minor": minor}), "access": "rwm"}
        for major, minor in DEFAULT
    ]
    return [{"allow": False, "access": "rwm"}, *allowed]


def of_host(folder: Path = Path("/dev")) -> list[dict[str, Any]]:
    """The device nodes of this machine, for a privileged container."""
    return [_device(path, status) for path, status in _nodes(folder)]


def _nodes(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for path in sorted(folder.iterdir()):
        if path.name in _SKIPPED:
            continue
        try:
            status = path.lstat()
        except FileNotFoundError:
            continue  # devices come and go
        if stat.S_ISDIR(status.st_mode):
            yield from _nodes(path)
        elif stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
            yield path, status


def _device(path: Path, status: os.stat_result) -> dict[str, Any]:
    return {
        "path": str(path),
        "type": "b" if stat.S_ISBLK(status.st_mode) else "c",
        "major": os.major(status.st_rdev),
        "minor": os.minor(status.st_rdev),
        "fileMode": stat.S_IMODE(status.st_mode),
        "uid": status.st_uid,
        "gid": status.st_gid,
    }
