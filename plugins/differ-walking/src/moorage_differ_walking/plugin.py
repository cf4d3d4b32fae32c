"""Registration in the slot ``differ``."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from moorage_differ_walking.activations import ActivatingDiffer
from moorage_differ_walking.differs import WalkingDiffer
from moorage_differ_walking.limits import Limits
from moorage_differ_walking.routes import PROCESSORS
from moorage_sdk.activations import MOUNT_MANAGER
from moorage_sdk.differs import DIFFER, Differ
from moorage_sdk.slots import InitContext, Plugin
from moorage_sys import tar_runs

_log = logging.getLogger(__name__)
_DEFAULT = Limits()
MAX_SECONDS = 2**31 - 1
"""What alarm(2) takes: a C int."""


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
    compiled: bool = True
    """Let compiled code write what is plain in a layer, where it was built. Results are the same, later without."""

    def __post_init__(self) -> None:
        for name in ("max_entries", "max_size", "max_ratio", "max_seconds"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be positive")
        if self.max_seconds > MAX_SECONDS:
            raise ValueError(f"max_seconds must be at most {MAX_SECONDS}")


def make(ctx: InitContext, config: Config) -> Differ:
    limits = Limits(
        entries=config.max_entries, size=config.max_size, ratio=config.max_ratio, seconds=config.max_seconds
    )
    how = "with" if config.compiled and tar_runs.COMPILED else "without"
    _log.info("layers are unpacked %s compiled code", how)
    processors = PROCESSORS.read(ctx.table(PROCESSORS.name))
    differ = WalkingDiffer(ctx.state / "workspace", limits, compiled=config.compiled, processors=processors)
    manager = next(iter(ctx.all(MOUNT_MANAGER).values()), None)
    return differ if manager is None else ActivatingDiffer(differ, manager)


plugin = Plugin(DIFFER, "walking", make, Config, requires=(MOUNT_MANAGER,), tables=(PROCESSORS,))
