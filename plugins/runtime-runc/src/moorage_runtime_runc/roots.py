"""Root file systems that a runtime must not be given."""

from __future__ import annotations

from pathlib import Path

from moorage_sdk import errors


def check(root: Path) -> None:
    """Raises errors.InvalidArgument for a root whose ``/dev`` is a link that leads out of it.

    Before it enters a root, runc makes links in its ``/dev`` and removes ``ptmx``; before 1.3.6 and 1.4.3 it followed
    an image's link for that and did so on the host (CVE-2026-41579). Blocks as file systems do.
    """
    devices = root / "dev"
    try:
        if not devices.is_symlink() or devices.resolve().is_relative_to(root.resolve()):
            return
    except (OSError, RuntimeError):  # a link to itself is one or the other, by version of Python
        pass
    raise errors.InvalidArgument(f'root file system "{root}": /dev leads out of it: invalid argument')
