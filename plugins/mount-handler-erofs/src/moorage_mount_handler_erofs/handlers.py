"""Mounts of type ``erofs`` whose source is a file or a block device."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from moorage_sdk import errors
from moorage_sdk.activations import ActiveMount, MountHandler
from moorage_sdk.mounts import Mount
from moorage_sys import loops, mounts

VERITY = "X-containerd.dmverity="
_DEVICE = "device="


class ErofsHandler(MountHandler):
    def __init__(self) -> None:
        self._by_devices = False

    def mount(self, mount: Mount, target: str, active: Sequence[ActiveMount]) -> ActiveMount:
        """Raises errors.Unimplemented for a layer that is to be verified, OSError."""
        if any(option.startswith(VERITY) for option in mount.options):
            raise errors.Unimplemented(f'mount "{mount.source}": dm-verity is not supported: not implemented')
        wanted = replace(mount, options=tuple(option for option in mount.options if option != "loop"))
        at = time.time_ns()
        Path(target).mkdir(mode=0o700)
        try:
            done = self._mount(wanted, target)
        except BaseException:
            Path(target).rmdir()
            raise
        return ActiveMount(done, target, at)

    def unmount(self, target: str) -> None:
        """Loop devices go with the mount, for nobody else holds them. Raises OSError."""
        mounts.unmount_all(target, lazy=False)

    def _mount(self, wanted: Mount, target: str) -> Mount:
        """What was mounted in the end."""
        if not self._by_devices:
            try:
                mounts.mount(wanted, target)
            except OSError as error:
                if error.errno != errno.ENOTBLK:
                    raise
                self._by_devices = True  # this kernel never will
            else:
                return wanted
        with ExitStack() as stack:
            mapped = attached(wanted, stack)
            mounts.mount(mapped, target)
            return mapped


def attached(mount: Mount, stack: ExitStack) -> Mount:
    """The mount with loop devices in the place of files, each held until ``stack`` is closed. Raises OSError."""
    options = tuple(
        _DEVICE + _attach(option.removeprefix(_DEVICE), stack) if option.startswith(_DEVICE) else option
        for option in mount.options
    )
    return replace(mount, source=_attach(mount.source, stack), options=options)


def _attach(file: str, stack: ExitStack) -> str:
    if Path(file).is_block_device():
        return file
    device, fd = loops.attach(file, read_only=True)
    stack.callback(os.close, fd)
    return device
