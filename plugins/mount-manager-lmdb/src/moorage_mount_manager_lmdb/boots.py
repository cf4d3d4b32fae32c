"""Whether the host was started anew: mounts do not outlive its boot, but a folder for state on a disk does."""

from __future__ import annotations

from pathlib import Path

from moorage_sys import files

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def changed(note: Path, source: Path = BOOT_ID) -> bool:
    """Whether ``note`` was made in an earlier boot; without one there is nothing to undo. Raises OSError."""
    try:
        return note.read_text("ascii") != source.read_text("ascii")
    except FileNotFoundError:
        return False


def remember(note: Path, source: Path = BOOT_ID) -> None:
    """Make the note, for good. Raises OSError."""
    files.replace(note, source.read_bytes(), flush=True)
