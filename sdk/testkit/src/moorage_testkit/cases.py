"""Layers, and what must come of them in a directory, for tests of whatever extracts layers.

::

    Case(Tar().symlink("localetc", "/etc").file("/localetc/new", b"x"), check=holds("etc/new", b"x"), before=etc)
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from moorage_sdk import errors
from moorage_testkit.archives import Tar

Change = Callable[[Path], None]
"""Makes what is there before the layer."""

Check = Callable[[Path], None]
"""Raises AssertionError unless the directory is as it must be."""


def nothing(root: Path) -> None:
    """The change, or the check, that is none."""


def etc(root: Path) -> None:
    """The change that most cases begin with."""
    (root / "etc").mkdir(mode=0o755)
    (root / "etc/passwd").write_text("inside")


def etc_and(change: Change) -> Change:
    """That, and more."""

    def both(root: Path) -> None:
        etc(root)
        change(root)

    return both


@dataclass(frozen=True)
class Case:
    """A layer that is extracted over what ``before`` made, and then either satisfies ``check`` or raises ``error``.

    With ``untouched`` an error comes before anything was changed. An overlay shows the names in ``differs`` otherwise
    than a plain directory does, since it copies what it changes.
    """

    layer: Tar
    check: Check = nothing
    before: Change = nothing
    error: type[errors.Error] | None = None
    differs: tuple[str, ...] = field(default_factory=tuple)
    untouched: bool = False


def holds(path: str, content: bytes) -> Check:
    """A file, looked up as the container would."""

    def check(root: Path) -> None:
        assert resolve(root, path).read_bytes() == content

    return check


def absent(path: str) -> Check:
    """No name is there, not even that of a link to nothing."""
    return that(lambda root: not os.path.lexists(root / path))


def same_file(one: str, other: str) -> Check:
    """Two names of one file, the second one looked up as the container would."""

    def check(root: Path) -> None:
        inside = (root / one.lstrip("/")).lstat()
        assert os.path.samestat(inside, resolve(root, other).lstat())

    return check


def all_of(*checks: Check) -> Check:
    """Every one of them."""

    def check(root: Path) -> None:
        for one in checks:
            one(root)

    return check


def that(holds_of: Callable[[Path], bool]) -> Check:
    """Whatever else must be true of a directory."""

    def check(root: Path) -> None:
        assert holds_of(root)

    return check


def resolve(root: Path, path: str) -> Path:
    """Where a path leads with ``root`` as the root directory."""
    place = root
    for part in path.strip("/").split("/"):
        place = place / part
        for _ in range(10):
            if not place.is_symlink():
                break
            target = str(place.readlink())
            base = root if target.startswith("/") else place.parent
            place = Path(os.path.normpath("/" + str((base / target.lstrip("/")).relative_to(root)))).relative_to("/")
            place = root / place
    return place
