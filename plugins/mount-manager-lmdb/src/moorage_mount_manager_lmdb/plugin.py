"""Registration: the plugin ``io.containerd.mount-manager.v1.lmdb``."""

from __future__ import annotations

from moorage_mount_manager_lmdb import boots
from moorage_mount_manager_lmdb.managers import LmdbMountManager
from moorage_mount_manager_lmdb.records import Records
from moorage_mount_manager_lmdb.roots import Roots
from moorage_mount_manager_lmdb.targets import Targets
from moorage_sdk.activations import MOUNT_HANDLER, MOUNT_MANAGER, MountManager
from moorage_sdk.metadata import METADATA
from moorage_sdk.slots import InitContext, NoConfig, Plugin


def make(ctx: InitContext, config: NoConfig) -> MountManager:
    """Everything lies in the state directory, as in containerd: what is mounted does not outlive the host's boot.

    Transformations may make something beneath the daemon's root and beneath what this very manager has mounted.
    """
    handlers = ctx.all(MOUNT_HANDLER)
    targets = ctx.state / "t"
    note = ctx.state / "boot"
    records = Records.salvage(ctx.state / "records")
    ctx.on_close(records.close)
    manager = LmdbMountManager(records, Targets(targets, handlers), handlers, Roots((targets, ctx.root.parent)))
    manager.recover(rebooted=boots.changed(note))
    boots.remember(note)
    ctx.one(METADATA).collects(manager.resources())
    ctx.export("root", str(targets))
    return manager


plugin = Plugin(MOUNT_MANAGER, "lmdb", make, requires=(METADATA, MOUNT_HANDLER))
