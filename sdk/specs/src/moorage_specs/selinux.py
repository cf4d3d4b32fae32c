"""SELinux labels of containers, on kernels that have it.

Where a label starts from is the file of contexts that the host's policy has for containers (``lxc_contexts``), as for
Docker and podman. A level of its own per container, which keeps containers apart, is the caller's to give.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from moorage_sdk import errors

DISABLED = "disable"

_PARTS = ("user", "role", "type", "level")
_VALUE = re.compile(r"[A-Za-z0-9_.:,-]+", re.ASCII)
_FILES = ("process", "file")


@dataclass(frozen=True)
class Labels:
    """``process.selinuxLabel`` and ``linux.mountLabel`` of a specification; "" leaves it to the host's policy."""

    process: str = ""
    mount: str = ""


def labels(options: Iterable[str], root: Path = Path("/")) -> Labels:
    """From ``user:U``, ``role:R``, ``type:T``, ``level:L`` and ``disable``, what people give with ``label=``.

    Raises errors.InvalidArgument for what is none of these, errors.FailedPrecondition where the kernel has no SELinux.
    """
    chosen: dict[str, str] = {}
    for option in options:
        part, _, value = option.partition(":")
        if option != DISABLED and (part not in _PARTS or not _VALUE.fullmatch(value)):
            raise errors.InvalidArgument(f'SELinux label "{option}": must be disable or PART:VALUE: invalid argument')
        chosen[part] = value
    if not chosen or DISABLED in chosen:
        return Labels()
    if not enabled(root):
        raise errors.FailedPrecondition("SELinux labels: this kernel has no SELinux: failed precondition")
    process, file = (_context(root, kind) for kind in _FILES)
    # What people choose the type for is what a process may do; files keep theirs.
    return Labels(_merged(process, chosen), _merged(file, {key: chosen[key] for key in ("level",) if key in chosen}))


def enabled(root: Path = Path("/")) -> bool:
    """Whether SELinux is in force or reports: its file system is mounted."""
    return (root / "sys/fs/selinux/enforce").exists()


def _merged(context: str, chosen: dict[str, str]) -> str:
    """A context is ``user:role:type:level``, and only a level has colons of its own."""
    parts = dict(zip(_PARTS, context.split(":", 3), strict=False)) | chosen
    return ":".join(parts[name] for name in _PARTS if name in parts)


def _context(root: Path, kind: str) -> str:
    """Raises errors.FailedPrecondition where the host's policy says nothing of containers."""
    folder = root / "etc/selinux"
    try:
        policy = _value((folder / "config").read_text("utf-8"), "SELINUXTYPE")
        return _value((folder / policy / "contexts/lxc_contexts").read_text("utf-8"), kind)
    except (OSError, UnicodeDecodeError, KeyError) as error:
        raise errors.FailedPrecondition(
            f"SELinux labels: the host's policy has no context for containers: {error}: failed precondition"
        ) from None


def _value(text: str, name: str) -> str:
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and key.strip() == name:
            return value.strip().strip('"')
    raise KeyError(name)
