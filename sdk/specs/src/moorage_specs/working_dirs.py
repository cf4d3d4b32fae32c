"""Where a process of a container may begin: not among file descriptors.

Runtimes have leaked descriptors of the host into the first moments of a container, and whoever begins in one of those
stands outside of it (CVE-2024-21626).
"""

from __future__ import annotations

import posixpath

from moorage_sdk import errors


def absolute(path: str) -> str:
    """A directory of the container, made absolute. Raises as ``check``."""
    check(path)
    # normpath keeps two leading slashes, as POSIX lets it.
    return "/" + posixpath.normpath(posixpath.join("/", path)).lstrip("/")


def check(path: str) -> None:
    """Raises errors.InvalidArgument for a directory among descriptors, one that is only passed on the way included."""
    place: list[str] = []
    for part in path.split("/"):
        if part == "..":
            place = place[:-1]
        elif part not in ("", "."):
            place.append(part)
        if _holds_descriptors(place):
            raise errors.InvalidArgument(f'working directory "{path}": lies among file descriptors: invalid argument')


def _holds_descriptors(place: list[str]) -> bool:
    """``/proc/<process>/fd``, ``/proc/<process>/task/<thread>/fd``, and ``/dev/fd``, which leads there."""
    return place == ["dev", "fd"] or (len(place) > 2 and place[0] == "proc" and place[-1] == "fd")
