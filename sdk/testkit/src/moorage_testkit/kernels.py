"""A program on an older kernel: what that lacks is refused by a system call filter, to all that it starts as well.

``python -m moorage_testkit.kernels COMMAND...`` runs a command where no pidfd tells how its process ended, as before
Linux 6.15.
"""

from __future__ import annotations

import errno
import os
import struct
import sys

from moorage_sys import libc, pidfds, processes
from moorage_testkit.daemons import Program

_IOCTL = {"x86_64": 16, "aarch64": 29}
"""Number of ioctl(2): arch/x86/entry/syscalls/syscall_64.tbl and asm-generic/unistd.h."""

_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06


def without_exit_info(program: Program) -> Program:
    """The same program where PIDFD_GET_INFO is unknown."""
    return Program((sys.executable, "-m", __name__, *program.command), program.config, program.env)


def old(program: Program) -> Program:
    """The same program where the kernel says that it is older than everything we ask its version for.

    What cannot be found out but by the version is then not used: id-mapped directories of overlay (5.19).
    """
    return Program(("setarch", "--uname-2.6", *program.command), program.config, program.env)


def supported() -> bool:
    """Whether the machine is one whose calls are known here."""
    return os.uname().machine in _IOCTL


def refuse_exit_info() -> None:
    """From here on ioctl(PIDFD_GET_INFO) fails with ENOTTY in this thread and all it starts. Raises OSError."""
    # struct seccomp_data: number at 0, the second argument at 24, whose lower half tells the request.
    code = [
        (_LOAD, 0, 0, 0),
        (_EQUAL, 0, 3, _IOCTL[os.uname().machine]),
        (_LOAD, 0, 0, 24),
        (_EQUAL, 0, 1, pidfds.PIDFD_GET_INFO),
        (_RETURN, 0, 0, _ERRNO | errno.ENOTTY),
        (_RETURN, 0, 0, _ALLOW),
    ]
    content = libc.buffer(b"".join(struct.pack("=HBBI", *each) for each in code))
    header = libc.buffer(struct.pack("@HP", len(code), libc.address(content)))
    processes.prctl(_PR_SET_SECCOMP, _MODE_FILTER, libc.address(header))


if __name__ == "__main__":
    refuse_exit_info()
    os.execvp(sys.argv[1], sys.argv[1:])
