"""Mounts of type ``loop``: the mount point is a symbolic link to a loop device with the source in it."""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Sequence
from pathlib import Path

from moorage_sdk import errors
from moorage_sdk.activations import ActiveMount, MountHandler
from moorage_sdk.mounts import Mount
from moorage_sys import loops

OPTIONS = ("ro", "rw", "direct-io")


class LoopHandler(MountHandler):
    def mount(self, mount: Mount, target: str, active: Sequence[ActiveMount]) -> ActiveMount:
        """Until the link is there the device goes with its descriptor, also when this process is killed.

        Raises errors.InvalidArgument for other options, OSError.
        """
        if unknown := [option for option in mount.options if option not in OPTIONS]:
            raise errors.InvalidArgument(f'loop mount option "{unknown[0]}": unknown: invalid argument')
        at = time.time_ns()
        device, fd = loops.attach(
            mount.source, read_only=mount.read_only, direct_io="direct-io" in mount.options, name=label(target)
        )
        try:
            Path(target).symlink_to(device)
            loops.set_autoclear(fd, False)
        finally:
            os.close(fd)
        return ActiveMount(mount, target, at)

    def unmount(self, target: str) -> None:
        """Raises OSError. A device that is still used goes when its last user does, and is no error."""
        try:
            device = Path(target).readlink()
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno == errno.EINVAL:  # no link: killed before it was made
                return
            raise
        _release(device, Path(target))


def label(target: str) -> str:
    """What the device at a mount point is known by: the kernel keeps 63 bytes."""
    return "moorage:" + hashlib.sha256(os.fsencode(target)).hexdigest()[:48]


def _release(device: Path, target: Path) -> None:
    """The link goes while the device is held, so that it cannot come to lead to somebody else's."""
    try:
        fd = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        target.unlink()
        return
    try:
        if _is_ours(fd, str(target)):
            loops.set_autoclear(fd, True)
        target.unlink()
    finally:
        os.close(fd)


def _is_ours(fd: int, target: str) -> bool:
    try:
        return loops.name(fd) == label(target)
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.ENOTTY):
            return False
        raise
