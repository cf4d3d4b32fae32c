"""Root file systems that come from no layer.

An image without layers is a bare directory of the host, mounted as it is. Kata before 3.26 looks for the disk that such
a directory is on, finds the host's own, and plugs it into the virtual machine (CVE-2026-24054).
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from moorage_sdk import errors
from moorage_sdk.mounts import Mount

_BINDS = ("bind", "rbind")


def require(subject: str, rootfs: Sequence[Mount]) -> None:
    """Raises errors.InvalidArgument for a root file system that is an empty directory of the host."""
    if len(rootfs) == 1 and _is_bind(rootfs[0]) and _is_empty(rootfs[0].source):
        raise errors.InvalidArgument(
            f"{subject}: its image has no layers, which no virtual machine can be given: invalid argument",
            hint="add a layer to the image, if only with an empty directory in it",
        )


def _is_bind(mount: Mount) -> bool:
    return mount.type in _BINDS or any(option in _BINDS for option in mount.options)


def _is_empty(path: str) -> bool:
    try:
        with os.scandir(path) as entries:
            return next(entries, None) is None
    except OSError:  # a file, or not there; the shim says what is wrong with it
        return False
