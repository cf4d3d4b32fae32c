"""Named pipes between client and container: standard streams as containerd passes them, by path."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from moorage_sdk.tasks import Stdio

DEFAULT_FOLDER = Path("/run/moorage/fifo")


@dataclass(frozen=True)
class Fifos:
    """Where they lie: a directory of their own, mode 0700, and the paths in it that the daemon is told."""

    directory: Path
    stdio: Stdio

    def remove(self) -> None:
        """Calling it again does nothing."""
        shutil.rmtree(self.directory, ignore_errors=True)


def create(*, stdin: bool, terminal: bool, folder: Path | None = None) -> Fifos:
    """New FIFOs, mode 0600, in the default folder unless told otherwise. With a terminal there is one output.

    Raises OSError.
    """
    folder = folder or DEFAULT_FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory = Path(tempfile.mkdtemp(dir=folder))
    names = {"stdin": stdin, "stdout": True, "stderr": not terminal}
    try:
        paths = {name: _make(directory / name) if wanted else "" for name, wanted in names.items()}
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    return Fifos(directory, Stdio(**paths, terminal=terminal))


@contextmanager
def temporary(*, stdin: bool, terminal: bool, folder: Path | None = None) -> Iterator[Fifos]:
    """``create`` for the length of a ``with`` block."""
    made = create(stdin=stdin, terminal=terminal, folder=folder)
    try:
        yield made
    finally:
        made.remove()


def _make(path: Path) -> str:
    os.mkfifo(path, 0o600)
    return str(path)
