"""Where a layer goes: from the mounts of a snapshot to a plan, as a value that can be printed and sent to a worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from moorage_sdk import errors
from moorage_sdk.mounts import Mount
from moorage_sys import mount_options, mounts


@dataclass(frozen=True)
class Target:
    """Either ``upper``, the upper directory of an overlay with its lower ones (newest first), or ``mounts``."""

    mounts: tuple[Mount, ...] = ()
    upper: str = ""
    lower: tuple[str, ...] = ()


def plan(what: Sequence[Mount], *, whiteouts: bool = True) -> Target:
    """How to write to ``what``.

    An overlay is written to beneath: into its upper directory, with whiteouts made by us, which is what containerd does
    (``core/diff/apply/apply_linux.go``) and what makes the layer independent of the kernel's idea of a change. Without
    ``whiteouts`` (a user namespace may not make device nodes) it is mounted like everything else.

    Raises errors.InvalidArgument when there is nothing to write to.
    """
    if not what:
        raise errors.InvalidArgument("layer: no mounts to unpack to: invalid argument")
    plain = tuple(mounts.without_volatile(one) for one in what)
    first = plain[0]
    upper = mount_options.value(first.options, "upperdir")
    if len(plain) == 1 and first.type == "overlay" and upper and whiteouts:
        lower = mount_options.value(first.options, "lowerdir")
        return Target(upper=upper, lower=tuple(lower.split(":")) if lower else ())
    return Target(mounts=plain)
