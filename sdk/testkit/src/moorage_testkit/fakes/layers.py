"""Layers in a few lines of Python: what extraction and whiteouts mean, for trusted archives only."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Iterable
from pathlib import Path

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"


def extract(members: Iterable[tarfile.TarInfo], archive: tarfile.TarFile, root: Path, *, keep_whiteouts: bool) -> None:
    """Unpack a layer onto ``root``; whiteouts are carried out, or kept as files for ``merge``."""
    fresh: set[Path] = set()
    for member in members:
        path = root / member.name
        if path.name.startswith(WHITEOUT) and not keep_whiteouts:
            _white_out(path, fresh)
            continue
        if path.is_symlink() or (path.exists() and not (path.is_dir() and member.isdir())):
            _remove(path)
        archive.extract(member, root, filter="fully_trusted", set_attrs=not member.issym())
        fresh.add(path)


def merge(upper: Path, lower: Path) -> None:
    """Lay ``upper``, with whiteouts as files, over ``lower``."""
    for path in sorted(upper.rglob("*"), key=lambda path: (not path.name.startswith(WHITEOUT), path)):
        target = lower / path.relative_to(upper)
        if path.name.startswith(WHITEOUT):
            _white_out(target, set())
        elif path.is_dir() and not path.is_symlink():
            if target.is_symlink() or target.is_file():
                _remove(target)
            target.mkdir(exist_ok=True, parents=True)
        else:
            if target.is_symlink() or target.exists():
                _remove(target)
            target.parent.mkdir(exist_ok=True, parents=True)
            shutil.copy2(path, target, follow_symlinks=False)


def _white_out(path: Path, fresh: set[Path]) -> None:
    if path.name == OPAQUE:
        for child in list(path.parent.iterdir()) if path.parent.is_dir() else []:
            if child not in fresh:
                _remove(child)
    else:
        _remove(path.with_name(path.name.removeprefix(WHITEOUT)))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
