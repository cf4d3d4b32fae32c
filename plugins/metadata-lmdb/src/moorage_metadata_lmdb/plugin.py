"""Registration: the plugin ``io.containerd.metadata.v1.lmdb``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from moorage_kv import Store
from moorage_metadata_lmdb.backups import Backups
from moorage_metadata_lmdb.databases import SCHEMA, TABLES, Database
from moorage_sdk.content import CONTENT
from moorage_sdk.durations import Duration
from moorage_sdk.events import EXCHANGE
from moorage_sdk.metadata import METADATA, Metadata
from moorage_sdk.slots import InitContext, Plugin
from moorage_sdk.snapshots import SNAPSHOTTER

RESERVE = 16 << 20
"""Bytes kept free in the store's file, so that images and containers can be deleted on a full disk."""

BACKUPS = "backups"
KEPT = 3
TEN_MINUTES = Duration(600)


@dataclass(frozen=True)
class Config:
    """Keys and defaults of containerd's ``io.containerd.metadata.v1.bolt``, and two of ours."""

    content_sharing_policy: Literal["shared", "isolated"] = "shared"
    """Whether a namespace gets a blob that another one has by naming its digest, or must send the bytes."""
    no_sync: bool = False
    """Let a crash of the machine undo the last changes, for speed. A crash of the daemon still loses nothing."""
    default_snapshotter: str = ""
    """The snapshotter for callers who name none; empty is the first that works of overlayfs, btrfs, native."""
    backup_interval: Duration = TEN_MINUTES
    """How often the store is copied to the folder ``backups`` beside it, if it changed; 0 for never. Three are kept."""


def make(ctx: InitContext, config: Config) -> Metadata:
    """Open the store in the plugin's root directory."""
    content, exchange = ctx.one(CONTENT), ctx.one(EXCHANGE)
    store = Store.open(ctx.root, tables=TABLES, schema=SCHEMA, durable=not config.no_sync, reserve=RESERVE)
    ctx.export("policy", config.content_sharing_policy)

    def reason(name: str) -> str:
        uri = f"{SNAPSHOTTER.type}.{name}"
        return next((status.reason for status in ctx.statuses() if status.uri == uri), "")

    database = Database(
        store,
        content,
        ctx.all(SNAPSHOTTER),
        exchange,
        shared=config.content_sharing_policy == "shared",
        default=config.default_snapshotter,
        reason=reason,
    )
    ctx.export("default-snapshotter", database.preferred)  # clients that are told no snapshotter ask for it
    ctx.on_close(database.close)
    if config.backup_interval > 0:
        ctx.on_close(Backups(store, ctx.root / BACKUPS, float(config.backup_interval), KEPT).stop)
    return database


plugin = Plugin(METADATA, "lmdb", make, Config, requires=(CONTENT, SNAPSHOTTER, EXCHANGE))
