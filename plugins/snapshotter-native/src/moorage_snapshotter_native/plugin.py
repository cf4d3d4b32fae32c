"""Registration in the slot ``snapshotter``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from moorage_sdk.slots import InitContext, Plugin
from moorage_sdk.snapshots import SNAPSHOTTER, Snapshotter
from moorage_snapshotter_native.snapshotters import NativeSnapshotter


@dataclass(frozen=True)
class Config:
    root_path: str = ""
    """Where snapshots are kept; empty is the plugin's own directory."""


def make(ctx: InitContext, config: Config) -> Snapshotter:
    root = Path(config.root_path) if config.root_path else ctx.root
    snapshotter = NativeSnapshotter(root)
    ctx.export("root", str(root))
    ctx.on_close(snapshotter.close)
    return snapshotter


plugin = Plugin(SNAPSHOTTER, "native", make, Config)
