"""Places beneath the folders in which transformations may make something."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from moorage_sdk import errors
from moorage_sys import paths

_RESOLVE = paths.RESOLVE_BENEATH | paths.RESOLVE_NO_SYMLINKS | paths.RESOLVE_NO_MAGICLINKS
"""Stricter than containerd, which follows links that stay inside of the root: what is mounted beneath it may hold a
file system that somebody else made, with a link to the mounts of a third."""


class Roots:
    """Absolute folders that exist."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(folders)

    @contextmanager
    def parent(self, path: str, verb: str) -> Iterator[tuple[int, str]]:
        """The opened folder that ``path`` lies in, and its last name. The path itself need not exist.

        Raises errors.Unimplemented beneath no root (as containerd), errors.InvalidArgument for a root itself and for
        ``.`` and ``..``, OSError when the folder is not there or a link leads to it.
        """
        folder = self._holding(path, verb)
        inner = PurePosixPath(path).relative_to(folder)
        if not inner.parts or ".." in inner.parts or "\0" in path:
            raise errors.InvalidArgument(f'path "{path}" for {verb}: not beneath "{folder}": invalid argument')
        root = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            flags = os.O_RDONLY | os.O_DIRECTORY
            opened = paths.openat2(root, os.fspath(inner.parent), flags, resolve=_RESOLVE)
        except OSError as error:
            error.filename = os.fspath(folder / inner.parent)
            raise
        finally:
            os.close(root)
        try:
            yield opened, inner.name
        finally:
            os.close(opened)

    def _holding(self, path: str, verb: str) -> Path:
        for folder in self._folders:
            if PurePosixPath(path).is_relative_to(folder):
                return folder
        raise errors.Unimplemented(f'no root "{path}" configured for {verb}: not implemented')
