"""Loop devices (loop(4)): files that are mounted as if they were disks."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from typing import Any

from moorage_sys import libc

_LOOP_CTL_GET_FREE = 0x4C82
_LOOP_CONFIGURE = 0x4C0A
_LOOP_CLR_FD = 0x4C01
_LOOP_SET_STATUS64 = 0x4C04
_LOOP_GET_STATUS64 = 0x4C05
_LO_FLAGS_READ_ONLY = 1
_LO_FLAGS_AUTOCLEAR = 4
_LO_FLAGS_DIRECT_IO = 16
_ATTEMPTS = 100

_INFO = struct.Struct("=QQQQQIIII64s64s32sQQ")
"""``struct loop_info64`` of ``include/uapi/linux/loop.h``."""
_FLAGS, _NAME = 8, 9


def attach(
    file: libc.Path, *, read_only: bool = False, autoclear: bool = True, direct_io: bool = False, name: str = ""
) -> tuple[str, int]:
    """Attach ``file`` to a free loop device: its path and a descriptor of it.

    ``name``, of at most 63 bytes, is what the device is known by later; else it is the path of the file.
    With ``autoclear`` the kernel detaches the file when the last user goes, so the caller mounts the device before
    it closes the descriptor. Raises OSError.
    """
    access = os.O_RDONLY if read_only else os.O_RDWR
    flags = (_LO_FLAGS_READ_ONLY if read_only else 0) | (_LO_FLAGS_AUTOCLEAR if autoclear else 0)
    flags |= _LO_FLAGS_DIRECT_IO if direct_io else 0
    backing = os.open(file, access | os.O_CLOEXEC)
    try:
        for _ in range(_ATTEMPTS):
            device = f"/dev/loop{_free()}"
            fd = os.open(device, access | os.O_CLOEXEC)
            try:
                fcntl.ioctl(fd, _LOOP_CONFIGURE, _configuration(backing, flags, os.fsencode(name or file)))
                return device, fd
            except OSError as error:
                os.close(fd)
                # Between asking for a free device and taking it, another process may have taken it.
                if error.errno != errno.EBUSY:
                    raise
    finally:
        os.close(backing)
    raise OSError(errno.EBUSY, "no free loop device", os.fsdecode(file))


def detach(device: libc.Path) -> None:
    """Detach the file of a loop device. Raises OSError."""
    fd = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(fd, _LOOP_CLR_FD)
    finally:
        os.close(fd)


def name(device: int) -> str:
    """What an opened loop device is known by. Raises OSError: ENXIO when it has no file, ENOTTY when it is none."""
    return os.fsdecode(bytes(_status(device)[_NAME]).rstrip(b"\0"))


def set_autoclear(device: int, autoclear: bool) -> None:
    """Whether the file of an opened loop device is detached when the last user goes. Raises as ``name``."""
    status = _status(device)
    flags = status[_FLAGS] | _LO_FLAGS_AUTOCLEAR if autoclear else status[_FLAGS] & ~_LO_FLAGS_AUTOCLEAR
    fcntl.ioctl(device, _LOOP_SET_STATUS64, _INFO.pack(*status[:_FLAGS], flags, *status[_NAME:]))


def _status(device: int) -> tuple[Any, ...]:
    return _INFO.unpack(fcntl.ioctl(device, _LOOP_GET_STATUS64, bytes(_INFO.size)))


def _free() -> int:
    control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
    try:
        return int(fcntl.ioctl(control, _LOOP_CTL_GET_FREE))
    finally:
        os.close(control)


def _configuration(backing: int, flags: int, name: bytes) -> bytes:
    """``struct loop_config`` of ``include/uapi/linux/loop.h``: fd, block size, ``struct loop_info64``, reserved."""
    info = _INFO.pack(0, 0, 0, 0, 0, 0, 0, 0, flags, name[:63], b"", b"", 0, 0)
    return struct.pack("=II", backing, 0) + info + bytes(64)
