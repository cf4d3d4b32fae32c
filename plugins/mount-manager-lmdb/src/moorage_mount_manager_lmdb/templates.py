"""Values that speak of mounts before them: ``{{ mount 0 }}`` (``core/mount/manager/format.go``).

The syntax is that of Go's text/template as far as four functions of whole numbers need it: ``source``, ``target`` and
``mount`` of one mount, ``overlay`` for the mount points of a range, joined by colons. A dash inside the braces takes
away the white space outside of them. Pipes, variables and conditions are refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from moorage_sdk import errors
from moorage_sdk.activations import ActiveMount
from moorage_sdk.mounts import Mount

_ACTION = re.compile(r"(?:\s*\{\{-(?=\s)|\{\{)(.*?)(?:(?<=\s)-\}\}\s*|\}\})", re.DOTALL)
_CALL = re.compile(r"\s*(?P<name>[a-z]+)\s+(?P<first>[+-]?\d{1,9})(?:\s+(?P<last>[+-]?\d{1,9}))?\s*", re.ASCII)


def fill(mount: Mount, active: Sequence[ActiveMount]) -> Mount:
    """The mount with source, target and options filled in. Raises errors.InvalidArgument."""
    return replace(
        mount,
        source=text(mount.source, active),
        target=text(mount.target, active),
        options=tuple(text(option, active) for option in mount.options),
    )


def text(template: str, active: Sequence[ActiveMount]) -> str:
    """One value. Raises errors.InvalidArgument."""
    if "{{" not in template:
        return template
    literals = _ACTION.sub("", template)
    if "{{" in literals:
        raise _wrong(template, "unclosed action")
    return _ACTION.sub(lambda action: _call(template, action[1], active), template)


def _call(template: str, action: str, active: Sequence[ActiveMount]) -> str:
    call = _CALL.fullmatch(action)
    if call is None:
        raise _wrong(template, f'"{action.strip()}" is no call of source, target, mount or overlay with numbers')
    name, first = call["name"], int(call["first"])
    if name == "overlay" and call["last"] is not None:
        return _overlay(template, first, int(call["last"]), active)
    if name not in ("source", "target", "mount") or call["last"] is not None:
        raise _wrong(template, f'"{action.strip()}" is no call of source, target, mount or overlay with numbers')
    if not 0 <= first < len(active):
        raise _wrong(template, f"index out of bounds: {first}, has {len(active)} active mounts")
    chosen = active[first]
    return {"source": chosen.mount.source, "target": chosen.mount.target, "mount": chosen.mount_point}[name]


def _overlay(template: str, first: int, last: int, active: Sequence[ActiveMount]) -> str:
    if min(first, last) < 0 or max(first, last) >= len(active):
        raise _wrong(template, f"invalid range: {first}-{last}, has {len(active)} active mounts")
    step = -1 if first > last else 1
    return ":".join(active[index].mount_point for index in range(first, last + step, step))


def _wrong(template: str, why: str) -> errors.InvalidArgument:
    return errors.InvalidArgument(f'template "{template}": {why}: invalid argument')
