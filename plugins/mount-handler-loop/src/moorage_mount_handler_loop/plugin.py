"""Registration in the slot ``mount-handler``."""

from __future__ import annotations

from pathlib import Path

from moorage_mount_handler_loop.handlers import LoopHandler
from moorage_sdk.activations import MOUNT_HANDLER, MountHandler
from moorage_sdk.slots import InitContext, NoConfig, Plugin, Skip

CONTROL = Path("/dev/loop-control")


def make(ctx: InitContext, config: NoConfig) -> MountHandler:
    """Raises Skip on a host without loop devices."""
    if not CONTROL.exists():
        raise Skip(f"{CONTROL} is not there")
    return LoopHandler()


plugin = Plugin(MOUNT_HANDLER, "loop", make)
