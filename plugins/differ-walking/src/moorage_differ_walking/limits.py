"""How much a layer may ask for."""

from __future__ import annotations

from dataclasses import dataclass

from moorage_sdk import errors


@dataclass(frozen=True)
class Limits:
    """Sizes in bytes. What goes past one ends in errors.ResourceExhausted."""

    entries: int = 2_000_000
    """Files, directories and links."""
    size: int = 64 << 30
    """The uncompressed layer."""
    ratio: int = 1000
    """Uncompressed to compressed bytes, of a layer larger than ``ratio_from``."""
    ratio_from: int = 1 << 30
    header: int = 1 << 20
    """All headers of one entry: long names, PAX records, maps of sparse files."""
    path: int = 32 << 10
    depth: int = 4096
    """Components of a path."""
    xattr: int = 64 << 10
    """One extended attribute, as the kernel limits it, too."""
    xattrs: int = 1 << 20
    """All of one entry together."""
    seconds: int = 3600
    """From start to end."""

    def check(self, what: str, value: int, limit: int) -> None:
        """Raises errors.ResourceExhausted when ``value`` is over ``limit``."""
        if value > limit:
            raise errors.ResourceExhausted(f"layer: {what} {value} over the limit of {limit}: resource exhausted")
