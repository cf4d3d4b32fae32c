"""Whether the host was started anew: mounts do not outlive its boot, but a folder for state on a disk does."""

from __future__ import annotations

import os
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def changed(note: Path, source: Path = BOOT_ID) -> bool:
    """Whether ``note`` was made in an earlier boot; without one there is nothing to undo. Raises OSError."""
    try:
        return note.read_text("ascii") != source.read_text("ascii")
    except FileNotFoundError:
        return False


def remember(note: Path, source: Path = BOOT_ID) -> None:
    """Make the note, for good. Raises OSError."""
    draft = note.with_suffix(".new")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(fd, "w", encoding="ascii") as file:
        file.write(source.read_text("ascii"))
        file.flush()
        os.fsync(fd)
    draft.replace(note)
