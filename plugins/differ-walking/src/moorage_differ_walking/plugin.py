"""Registration in the slot ``differ``."""

from __future__ import annotations

from dataclasses import dataclass, fields

from moorage_differ_walking.differs import WalkingDiffer
from moorage_differ_walking.limits import Limits
from moorage_sdk.differs import DIFFER, Differ
from moorage_sdk.slots import InitContext, Plugin

_DEFAULT = Limits()


@dataclass(frozen=True)
class Config:
    max_entries: int = _DEFAULT.entries
    """Files, directories and links in one layer."""
    max_size: int = _DEFAULT.size
    """Bytes of one layer, uncompressed."""
    max_ratio: int = _DEFAULT.ratio
    """Uncompressed to compressed bytes, for layers past 1 GiB."""
    max_seconds: int = _DEFAULT.seconds
    """How long one layer may take."""

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) < 1:
                raise ValueError(f"{field.name} must be positive")


def make(ctx: InitContext, config: Config) -> Differ:
    limits = Limits(
        entries=config.max_entries, size=config.max_size, ratio=config.max_ratio, seconds=config.max_seconds
    )
    return WalkingDiffer(ctx.state / "workspace", limits)


plugin = Plugin(DIFFER, "walking", make, Config)
