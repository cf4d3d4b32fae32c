"""Linux capabilities by the names of the OCI runtime specification (``CAP_CHOWN``)."""

from __future__ import annotations

from collections.abc import Iterable

from moorage_sdk import errors
from moorage_sys import capabilities

DEFAULT = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
)
"""``defaultUnixCaps`` of pkg/oci/spec.go in containerd v2.3."""


def current() -> tuple[str, ...]:
    """What this process has: a privileged container gets no more than its creator."""
    held = capabilities.effective()
    return tuple(f"CAP_{name}" for name in capabilities.NUMBERS if name in held)


def adjusted(base: Iterable[str], add: Iterable[str], drop: Iterable[str]) -> tuple[str, ...]:
    """``base`` without ``drop`` and with ``add``, in docker's way: ALL is a name, and what is added wins.

    Raises errors.InvalidArgument for a name that is none.
    """
    added, dropped = [_known(name) for name in add], [_known(name) for name in drop]
    kept = list(current() if "ALL" in added else base)
    if "ALL" in dropped:
        kept = []
    kept = [name for name in kept if name not in dropped]
    return tuple(dict.fromkeys([*kept, *(name for name in added if name != "ALL")]))


def _known(name: str) -> str:
    bare = name.upper().removeprefix("CAP_")
    if bare == "ALL":
        return bare
    if bare not in capabilities.NUMBERS:
        raise errors.InvalidArgument(f'capability "{name}": unknown: invalid argument')
    return f"CAP_{bare}"
