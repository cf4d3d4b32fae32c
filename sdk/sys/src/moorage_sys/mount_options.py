"""Options in fstab's style, as mounts carry them, and what they mean for the kernel.

The table is that of ``core/mount/mount_linux.go`` in containerd v2.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from moorage_sdk import errors

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_SYNCHRONOUS = 16
MS_REMOUNT = 32
MS_MANDLOCK = 64
MS_DIRSYNC = 128
MS_NOATIME = 1024
MS_NODIRATIME = 2048
MS_BIND = 4096
MS_REC = 16384
MS_UNBINDABLE = 1 << 17
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19
MS_SHARED = 1 << 20
MS_RELATIME = 1 << 21
MS_STRICTATIME = 1 << 24
PROPAGATION = MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE

_SET = {
    "bind": MS_BIND,
    "dirsync": MS_DIRSYNC,
    "mand": MS_MANDLOCK,
    "noatime": MS_NOATIME,
    "nodev": MS_NODEV,
    "nodiratime": MS_NODIRATIME,
    "noexec": MS_NOEXEC,
    "nosuid": MS_NOSUID,
    "private": MS_PRIVATE,
    "rbind": MS_BIND | MS_REC,
    "relatime": MS_RELATIME,
    "remount": MS_REMOUNT,
    "ro": MS_RDONLY,
    "rprivate": MS_PRIVATE | MS_REC,
    "rshared": MS_SHARED | MS_REC,
    "rslave": MS_SLAVE | MS_REC,
    "runbindable": MS_UNBINDABLE | MS_REC,
    "shared": MS_SHARED,
    "slave": MS_SLAVE,
    "strictatime": MS_STRICTATIME,
    "sync": MS_SYNCHRONOUS,
    "unbindable": MS_UNBINDABLE,
}
_CLEAR = {
    "async": MS_SYNCHRONOUS,
    "atime": MS_NOATIME,
    "dev": MS_NODEV,
    "diratime": MS_NODIRATIME,
    "exec": MS_NOEXEC,
    "nomand": MS_MANDLOCK,
    "norelatime": MS_RELATIME,
    "nostrictatime": MS_STRICTATIME,
    "rw": MS_RDONLY,
    "suid": MS_NOSUID,
}


@dataclass(frozen=True, slots=True)
class Parsed:
    """``flags`` for mount(2), ``data`` for the file system, and what mount(8) would have to do first."""

    flags: int = 0
    data: tuple[str, ...] = ()
    loop: bool = False
    direct_io: bool = False
    uid_map: str = ""
    gid_map: str = ""


def parse(options: Sequence[str]) -> Parsed:
    """Sort options into flags and data; what no table knows is data.

    Raises errors.InvalidArgument for an option ``X-containerd.*``: those are for a mount manager, which should have
    consumed them.
    """
    flags, data = 0, []
    loop = direct_io = False
    maps = {"uidmap": "", "gidmap": ""}
    for option in options:
        name, _, value = option.partition("=")
        if option.startswith("X-containerd."):
            raise errors.InvalidArgument(f'mount option "{option}": not consumed by a mount manager: invalid argument')
        if option in _SET:
            flags |= _SET[option]
        elif option in _CLEAR:
            flags &= ~_CLEAR[option]
        elif option == "loop":
            loop = True
        elif name in maps:
            maps[name] = value
        elif option != "defaults":
            data.append(option)
    if loop and "direct-io" in data:
        data.remove("direct-io")
        direct_io = True
    return Parsed(flags, tuple(data), loop, direct_io, maps["uidmap"], maps["gidmap"])


def value(options: Sequence[str], name: str) -> str:
    """The value of the last option ``name=...``, or an empty string."""
    found = [option.removeprefix(f"{name}=") for option in options if option.startswith(f"{name}=")]
    return found[-1] if found else ""
