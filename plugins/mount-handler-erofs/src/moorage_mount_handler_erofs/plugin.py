"""Registration in the slot ``mount-handler``."""

from __future__ import annotations

from moorage_mount_handler_erofs.handlers import ErofsHandler
from moorage_sdk.activations import MOUNT_HANDLER, MountHandler
from moorage_sdk.slots import InitContext, NoConfig, Plugin


def make(ctx: InitContext, config: NoConfig) -> MountHandler:
    """Also where the kernel has no erofs yet: it loads the module with the first mount."""
    return ErofsHandler()


plugin = Plugin(MOUNT_HANDLER, "erofs", make)
