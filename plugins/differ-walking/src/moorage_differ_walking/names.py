"""Names of entries: cleaned as text before any symbolic link is looked at, as containerd does (Go's ``path.Clean``)."""

from __future__ import annotations

from moorage_sdk import errors

WHITEOUT = b".wh."
OPAQUE = b".wh..wh..opq"


def clean(name: bytes) -> bytes:
    """Without empty components, ``.`` and ``..``; empty for the root. Nothing climbs above the root."""
    if b".." not in name and b"//" not in name and not name.startswith((b"/", b".")) and b"/." not in name:
        # Nearly all names of nearly all layers.
        return name.rstrip(b"/")
    parts: list[bytes] = []
    for part in name.split(b"/"):
        if part == b"..":
            if parts:
                parts.pop()
        elif part not in (b"", b"."):
            parts.append(part)
    return b"/".join(parts)


def split(name: bytes) -> tuple[bytes, bytes]:
    """Parent and last component of a cleaned name."""
    parent, _, base = name.rpartition(b"/")
    return parent, base


def hidden(base: bytes) -> bytes:
    """What the whiteout ``base`` removes: a single component.

    Raises errors.InvalidArgument for one that would reach its own directory or the one above.
    """
    name = base.removeprefix(WHITEOUT)
    if name in (b"", b".", b".."):
        raise errors.InvalidArgument(f"layer: whiteout {base!r}: invalid name: invalid argument")
    return name
