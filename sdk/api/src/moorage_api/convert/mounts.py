"""Mounts: ``moorage_sdk.mounts.Mount`` and ``containerd.types.Mount``. The order of mounts and of options is kept."""

from __future__ import annotations

from collections.abc import Iterable

from moorage_api.messages import types
from moorage_sdk.mounts import Mount


def from_message(message: types.Mount) -> Mount:
    """The value."""
    return Mount(message.type, message.source, tuple(message.options), message.target)


def to_message(mount: Mount) -> types.Mount:
    """The message."""
    return types.Mount(type=mount.type, source=mount.source, target=mount.target, options=mount.options)


def from_messages(messages: Iterable[types.Mount]) -> tuple[Mount, ...]:
    """A whole plan, in order."""
    return tuple(map(from_message, messages))


def to_messages(mounts: Iterable[Mount]) -> list[types.Mount]:
    """A whole plan, in order."""
    return list(map(to_message, mounts))
