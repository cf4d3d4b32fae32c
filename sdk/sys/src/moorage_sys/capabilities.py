"""Capabilities of this process (capabilities(7)); numbers are those of ``linux/capability.h``."""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterable

from moorage_sys import libc, processes

_NAMES = [
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
    "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
    "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
    "CHECKPOINT_RESTORE",
]  # fmt: skip
NUMBERS = {name: number for number, name in enumerate(_NAMES)}

_VERSION_3 = 0x20080522
_PR_CAPBSET_DROP = 24
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4


def effective() -> frozenset[str]:
    """Names of the capabilities in force; ones that this module has no name for are left out. Raises OSError."""
    low, _, _, high, _, _ = _get()
    mask = low | high << 32
    return frozenset(name for name, number in NUMBERS.items() if mask >> number & 1)


def keep_only(names: Iterable[str]) -> None:
    """Drop all capabilities but these from every set for good; ones that are not held are not gained.

    Raises KeyError for an unknown name, OSError.
    """
    kept = sum(1 << NUMBERS[name] for name in set(names))
    _drop_bounding(kept)
    processes.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    low, permitted_low, _, high, permitted_high, _ = _get()
    mask = (low & permitted_low | (high & permitted_high) << 32) & kept
    _set(mask)


def _drop_bounding(kept: int) -> None:
    for number in range(64):
        if kept >> number & 1:
            continue
        try:
            processes.prctl(_PR_CAPBSET_DROP, number)
        except OSError as error:
            # EINVAL: past the last capability of this kernel. EPERM: without SETPCAP the bounding set stays as it is,
            # which gives nothing to a process that never executes another program.
            if error.errno == errno.EINVAL:
                return
            if error.errno != errno.EPERM:
                raise


def _header() -> bytes:
    return struct.pack("=Ii", _VERSION_3, 0)


def _get() -> tuple[int, ...]:
    header, data = libc.buffer(_header()), libc.buffer(bytes(24))
    libc.check(libc.lib.capget(header, data))
    return struct.unpack("=6I", libc.content(data, 24))


def _set(mask: int) -> None:
    low, high = mask & 0xFFFFFFFF, mask >> 32
    header = libc.buffer(_header())
    data = libc.buffer(struct.pack("=6I", low, low, 0, high, high, 0))
    libc.check(libc.lib.capset(header, data))
