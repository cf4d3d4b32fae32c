"""Registration in the slot ``snapshotter``."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from moorage_sdk.slots import InitContext, Plugin, Skip
from moorage_sdk.snapshots import SNAPSHOTTER, Snapshotter
from moorage_snapshotter_overlayfs import features
from moorage_snapshotter_overlayfs.snapshotters import OverlaySnapshotter
from moorage_sys import userns_maps

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Config:
    root_path: str = ""
    """Where layers are kept; empty is the plugin's own directory."""
    upperdir_label: bool = False
    """Tell the upper directory of a snapshot in the label ``containerd.io/snapshot/overlay.upperdir``."""
    sync_remove: bool = False
    """Remove directories at once, instead of when garbage is collected."""
    slow_chown: bool = False
    """Allow clients to change owners file by file where the kernel cannot map ids in a mount."""
    mount_options: tuple[str, ...] = ()
    """Added to overlay mounts, not to bind mounts."""
    sync_commit: bool = True
    """Write a layer out to disk before it is committed; without it a power loss may leave empty files in layers."""


def make(ctx: InitContext, config: Config) -> Snapshotter:
    root = Path(config.root_path) if config.root_path else ctx.root
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    if reason := features.obstacle(root):
        raise Skip(reason)
    maps_ids = features.maps_ids()
    if maps_ids:
        ctx.capability("remap-ids")
    else:
        log.warning(
            "overlay takes no id-mapped directories on this kernel (Linux 5.19 does): for a user namespace clients have"
            " to change the owners of every file"
        )
    if not config.slow_chown:
        ctx.capability("only-remap-ids")
    if not userns_maps.inside_user_namespace():
        # A whiteout, which a rebased layer may need, is a device node.
        ctx.capability("rebase")
    snapshotter = OverlaySnapshotter(
        root,
        options=features.options(root, config.mount_options),
        upperdir_label=config.upperdir_label,
        sync_remove=config.sync_remove,
        sync_commit=config.sync_commit,
        maps_ids=maps_ids,
    )
    ctx.export("root", str(root))
    ctx.on_close(snapshotter.close)
    return snapshotter


plugin = Plugin(SNAPSHOTTER, "overlayfs", make, Config)
