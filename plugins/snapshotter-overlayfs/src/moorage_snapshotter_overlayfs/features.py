"""What the kernel's overlay can do here (``plugins/snapshots/overlay/overlayutils`` in containerd)."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from moorage_sdk import errors
from moorage_sdk.mounts import Mount
from moorage_sys import kernels, mountinfo, mounts, userns_maps

_INDEX = Path("/sys/module/overlay/parameters/index")
_MAPS_IDS_SINCE = (5, 19)


def obstacle(root: Path) -> str:
    """Why overlay mounts with their upper directory beneath ``root`` do not work, or an empty string."""
    with tempfile.TemporaryDirectory(prefix="check-", dir=root) as folder:
        parts = {name: Path(folder, name) for name in ("lower1", "lower2", "upper", "work", "merged")}
        for part in parts.values():
            part.mkdir(mode=0o700)
        lower = f"lowerdir={parts['lower2']}:{parts['lower1']}"
        trial = Mount("overlay", "overlay", (f"workdir={parts['work']}", f"upperdir={parts['upper']}", lower))
        try:
            mounts.mount(trial, parts["merged"])
        except (OSError, errors.Error) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            return f'overlay on "{root}" ({mountinfo.holding(str(root)).type}): {reason}'
        mounts.unmount_all(parts["merged"])
        # overlayfs leaves a directory without permissions behind, which root may remove all the same.
    return ""


def options(root: Path, configured: Sequence[str]) -> tuple[str, ...]:
    """The options that every overlay mount ends with: what is configured, and what it leaves open.

    In the kernel the last one wins, so nothing configured is said again.
    """
    named = {option.partition("=")[0] for option in configured}
    added = []
    if "userxattr" not in named and userns_maps.inside_user_namespace():
        # Not possible on tmpfs, which has no user.* attributes.
        added += ["userxattr"] if mountinfo.holding(str(root)).type != "tmpfs" else []
    if "index" not in named and _INDEX.exists():
        added.append("index=off")
    return (*configured, *added)


def maps_ids() -> bool:
    """Whether overlay takes id-mapped lower directories."""
    return kernels.version() >= _MAPS_IDS_SINCE
