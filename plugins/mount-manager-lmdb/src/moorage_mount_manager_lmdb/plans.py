"""What is to be done with a list of mounts (``Activate`` in ``core/mount/manager/manager.go``).

A type may have transformations in front, ``format/mkdir/overlay``: they are applied from left to right. A mount that is
transformed needs those before it performed; one that has a handler, or that is activated for a while only, is performed
itself. What comes behind is left to the caller as it stands, but for the first, which is transformed in any case.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Container, Sequence
from dataclasses import dataclass, replace

from moorage_sdk import errors
from moorage_sdk.mounts import Mount

log = logging.getLogger(__name__)

TRANSFORMATIONS = ("format", "mkfs", "mkdir")

LIMIT = 255
"""Mounts of one activation, as containerd's records have it."""


@dataclass(frozen=True)
class Step:
    """``mount`` has the type without the transformations; ``whole`` is the type with them."""

    mount: Mount
    transformations: tuple[str, ...] = ()
    whole: str = ""


@dataclass(frozen=True)
class Plan:
    """``performed`` by the manager, then ``first`` to be transformed for the caller, then the ``rest`` as it stands."""

    performed: tuple[Step, ...] = ()
    first: Step | None = None
    rest: tuple[Mount, ...] = ()


def make(
    mounts: Sequence[Mount], handled: Container[str], *, temporary: bool = False, allowed: Collection[str] = ()
) -> Plan | None:
    """The plan, or None when there is nothing to do. Raises errors.InvalidArgument for too many mounts."""
    steps = tuple(map(split, mounts))
    border = -1
    for index, step in enumerate(steps):
        if any(_wanted(name, step.whole, allowed) for name in step.transformations):
            border = index
        if temporary or (step.mount.type in handled and step.mount.type not in allowed):
            border = index + 1
    if border < 0:
        return None
    if len(mounts) > LIMIT:
        raise errors.InvalidArgument(f"too many mounts ({len(mounts)}): maximum {LIMIT}: invalid argument")
    first = steps[border] if border < len(steps) else None
    return Plan(steps[:border], first, tuple(mounts[border + 1 :]))


def split(mount: Mount) -> Step:
    """The mount and the transformations that its type begins with."""
    names: list[str] = []
    left = mount.type
    while "/" in left:
        name, _, behind = left.partition("/")
        if name not in TRANSFORMATIONS:
            log.warning('mount type "%s": transformation "%s" is unknown', mount.type, name)
            break
        names.append(name)
        left = behind
    return Step(replace(mount, type=left), tuple(names), mount.type)


def _wanted(name: str, whole: str, allowed: Collection[str]) -> bool:
    return f"{name}/*" not in allowed and whole not in allowed
