"""Kernel parameters of a container, ``NAME=VALUE``: only those that its own namespaces have.

The runtime writes them below /proc/sys, and an older one took what followed a ``+`` for a further parameter, of the
host (CVE-2022-0811).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from moorage_sdk import errors

_NAME = re.compile(r"[a-z0-9](?:[-_a-z0-9]*[a-z0-9])?(?:[./][a-zA-Z0-9_](?:[-_a-zA-Z0-9.@]*[a-zA-Z0-9_])?)+", re.ASCII)
_VALUE = re.compile(r"[-_a-zA-Z0-9.,:/ \t]*", re.ASCII)
_MAX_VALUE = 4095
"""Bytes that the kernel takes at once (``PAGE_SIZE - 1``)."""

_IPC = frozenset(
    {"kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax"}
    | {"kernel.shmmni", "kernel.shm_rmid_forced"}
)
_UTS = frozenset({"kernel.domainname", "kernel.hostname"})


def parse(entries: Iterable[str], namespaces: Iterable[str]) -> dict[str, str]:
    """``linux.sysctl`` of a specification whose own ``namespaces`` are those, by OCI's names.

    Raises errors.InvalidArgument for one that is malformed, belongs to the host, or to no namespace at all.
    """
    own = frozenset(namespaces)
    found: dict[str, str] = {}
    for entry in entries:
        name, equals, value = entry.partition("=")
        if not equals or not _NAME.fullmatch(name):
            raise errors.InvalidArgument(f"sysctl {entry!r}: must be NAME=VALUE: invalid argument")
        if not _VALUE.fullmatch(value) or len(value) > _MAX_VALUE:
            raise errors.InvalidArgument(f'sysctl "{name}": value {value[:100]!r} not allowed: invalid argument')
        name = _dotted(name)
        _check_namespace(name, own)
        found[name] = value
    return found


def _dotted(name: str) -> str:
    """As sysctl(8): what is separated first decides, and a dot in a name with slashes is part of an interface's."""
    first = name[len(name.partition(".")[0].partition("/")[0])]
    return name.translate(str.maketrans("./", "/.")) if first == "/" else name


def _check_namespace(name: str, own: frozenset[str]) -> None:
    """The rules of runc (libcontainer/configs/validate), here before anything is made."""
    needed = "network" if name.startswith("net.") else "ipc" if name in _IPC or name.startswith("fs.mqueue.") else ""
    needed = "uts" if name in _UTS else needed
    if not needed:
        raise errors.InvalidArgument(f'sysctl "{name}": belongs to no namespace, but to the host: invalid argument')
    if needed not in own:
        raise errors.InvalidArgument(
            f'sysctl "{name}": the container shares the {needed} namespace of the host: invalid argument'
        )
