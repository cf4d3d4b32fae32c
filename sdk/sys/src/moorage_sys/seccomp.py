"""A system call filter that denies (seccomp(2)): a list of calls fails with EPERM, everything else passes.

The filter is classic BPF over ``struct seccomp_data``: architecture at offset 4, call number at 0.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterable, Sequence

from moorage_sys import libc, processes

_PR_SET_SECCOMP = 22
_MODE_FILTER = 2
_RET_ALLOW = 0x7FFF0000
_RET_ERRNO = 0x00050000
_RET_KILL_PROCESS = 0x80000000
_X32 = 0x40000000
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""``AUDIT_ARCH_*`` of ``linux/audit.h``."""

_SINCE_2018 = {
    "io_uring_setup": 425,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "pidfd_open": 434,
    "clone3": 435,
    "pidfd_getfd": 438,
    "process_madvise": 440,
    "mount_setattr": 442,
    "open_tree_attr": 467,
}
NUMBERS: dict[str, dict[str, int]] = {
    "x86_64": {
        "socket": 41, "socketpair": 53, "execve": 59, "ptrace": 101, "pivot_root": 155, "chroot": 161, "mount": 165,
        "umount2": 166, "swapon": 167, "reboot": 169, "init_module": 175, "delete_module": 176, "keyctl": 250,
        "add_key": 248, "request_key": 249, "unshare": 272, "perf_event_open": 298, "open_by_handle_at": 304,
        "setns": 308, "process_vm_readv": 310, "process_vm_writev": 311, "finit_module": 313, "kexec_load": 246,
        "bpf": 321, "execveat": 322, "userfaultfd": 323, "kexec_file_load": 320, **_SINCE_2018,
    },
    "aarch64": {
        "socket": 198, "socketpair": 199, "execve": 221, "ptrace": 117, "pivot_root": 41, "chroot": 51, "mount": 40,
        "umount2": 39, "swapon": 224, "reboot": 142, "init_module": 105, "delete_module": 106, "keyctl": 219,
        "add_key": 217, "request_key": 218, "unshare": 97, "perf_event_open": 241, "open_by_handle_at": 265,
        "setns": 268, "process_vm_readv": 270, "process_vm_writev": 271, "finit_module": 273, "kexec_load": 104,
        "bpf": 280, "execveat": 281, "userfaultfd": 282, "kexec_file_load": 294, **_SINCE_2018,
    },
}  # fmt: skip
"""Numbers of the calls that this module can deny, from ``arch/x86/entry/syscalls`` and ``asm-generic/unistd.h``."""


def supported() -> bool:
    """Whether the table knows this machine's architecture."""
    return os.uname().machine in _ARCHITECTURES


def program(names: Iterable[str], machine: str) -> list[tuple[int, int, int, int]]:
    """The filter as (code, jump if true, jump if false, value). Raises KeyError for an unknown machine or call."""
    numbers: Sequence[int] = sorted(NUMBERS[machine][name] for name in set(names))
    if len(numbers) > 200:
        raise ValueError("more calls than one jump of classic BPF reaches")
    deny = _RET_ERRNO | errno.EPERM
    code = [(_LOAD, 0, 0, 4), (_JUMP_EQUAL, 1, 0, _ARCHITECTURES[machine]), (_RETURN, 0, 0, _RET_KILL_PROCESS)]
    code.append((_LOAD, 0, 0, 0))
    if machine == "x86_64":
        # The x32 calls have numbers of their own and would walk around the list.
        code.append((_JUMP_AT_LEAST, len(numbers) + 1, 0, _X32))
    code.extend((_JUMP_EQUAL, len(numbers) - index, 0, number) for index, number in enumerate(numbers))
    return [*code, (_RETURN, 0, 0, _RET_ALLOW), (_RETURN, 0, 0, deny)]


def deny(names: Iterable[str]) -> None:
    """Let these calls fail with EPERM in this thread and all it starts, for good.

    Needs ``processes.set_no_new_privileges`` or CAP_SYS_ADMIN before. Raises KeyError as ``program``, OSError.
    """
    instructions = program(names, os.uname().machine)
    code = libc.buffer(b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions))
    header = libc.buffer(struct.pack("@HP", len(instructions), libc.address(code)))
    try:
        processes.prctl(_PR_SET_SECCOMP, _MODE_FILTER, libc.address(header))
    except OSError as error:
        raise OSError(error.errno, f"system call filter: {os.strerror(error.errno or 0)}") from None
