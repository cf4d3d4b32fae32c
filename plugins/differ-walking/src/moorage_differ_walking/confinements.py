"""A process that has nothing but the directory it works on.

In this order: everything that may be needed is loaded; a mount namespace of its own; the target as ``/`` and the old
root gone; capabilities, privileges and system calls dropped. After that a fault of ours in reading a layer reaches the
target at most, and nothing that the layer brought (a library, a module, a program) can be loaded by accident.
"""

from __future__ import annotations

import importlib
import os
import resource
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from moorage_differ_walking.targets import Target
from moorage_sdk.mounts import Mount
from moorage_sys import capabilities, libc, mount_api, mounts, processes, seccomp

WRITING = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "MKNOD", "SETFCAP")
READING = ("DAC_OVERRIDE", "DAC_READ_SEARCH")
OVERLAY = "SYS_ADMIN"
"""What the kernel asks of whoever sets ``trusted.*`` attributes; the filter takes the rest of it away again."""

DENIED = (
    "socket", "socketpair", "execve", "execveat", "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd",
    "mount", "umount2", "pivot_root", "chroot", "open_tree", "open_tree_attr", "move_mount", "fsopen", "fsconfig",
    "fsmount", "fspick", "mount_setattr", "setns", "unshare", "bpf", "perf_event_open", "userfaultfd", "io_uring_setup",
    "open_by_handle_at", "keyctl", "add_key", "request_key", "init_module", "finit_module", "delete_module",
    "kexec_load", "kexec_file_load", "swapon", "reboot",
)  # fmt: skip
_ADDRESS_SPACE = 2 << 30
_LATE = ("encodings.ascii", "encodings.latin_1", "encodings.utf_8", "traceback", "linecache", "tokenize")
"""Modules of the standard library that it imports only when they are needed."""


def enter_target(target: Target, workspace: Path) -> tuple[int, list[int]]:
    """Make the target the root: descriptors of it and of the lower directories, which lie nowhere.

    ``workspace`` is an empty directory; it is mounted over in this process's own namespace only. Raises OSError,
    errors.InvalidArgument for malformed mounts.
    """
    _leave_host()
    below = [_read_only(path) for path in target.lower]
    if target.upper:
        fd = mount_api.clone_tree(target.upper)
        mount_api.attach(fd, workspace)
        os.close(fd)
    else:
        mounts.mount_all(target.mounts, workspace)
    processes.pivot_root(workspace)
    return os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), below


def enter_pair(lower: Sequence[Mount], upper: Sequence[Mount], workspace: Path) -> tuple[int, int]:
    """Mount two sets side by side for reading, and leave everything else behind. Raises as ``enter_target``."""
    _leave_host()
    mounts.mount(Mount("tmpfs", "tmpfs", ("size=64k", "mode=0700")), workspace)
    opened = []
    for name, what in (("lower", lower), ("upper", upper)):
        place = workspace / name
        place.mkdir(mode=0o700)
        mounts.mount_all([mounts.as_read_only(mounts.without_volatile(one)) for one in what], place)
        opened.append(os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
    processes.pivot_root(workspace)
    return opened[0], opened[1]


def drop(kept: Iterable[str]) -> None:
    """Give up all but these capabilities, gaining any later, and the system calls in ``DENIED``. Raises OSError."""
    os.umask(0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    capabilities.keep_only(kept)
    processes.set_dumpable(False)
    processes.set_no_new_privileges()
    if seccomp.supported():
        seccomp.deny(DENIED)


def load_everything() -> None:
    """Import what would be imported later, then forbid importing: after the pivot, paths lead into the layer."""
    for name in _LATE:
        importlib.import_module(name)
    # The C library loads this one by name when a thread ends; loaded already, it is not looked for again.
    _keep.append(libc.open_library("libgcc_s.so.1"))
    sys.meta_path.clear()
    sys.path.clear()


_keep: list[object] = []


def _leave_host() -> None:
    processes.unshare(processes.CLONE_NEWNS)
    mounts.make_private()


def _read_only(path: str) -> int:
    fd = mount_api.clone_tree(path)
    mount_api.set_attributes(fd, set=mount_api.MOUNT_ATTR_RDONLY)
    opened = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=fd)
    # The detached mount lives as long as a descriptor within it does.
    os.close(fd)
    return opened
