"""The settings of containerd's metadata store, which are ours (a module of ``moorage.config``)."""

from __future__ import annotations

from typing import Any

from moorage_sdk import migrations

BOLT = "io.containerd.metadata.v1.bolt"
LMDB = "io.containerd.metadata.v1.lmdb"
KEYS = ("content_sharing_policy", "no_sync")
"""``BoltConfig`` in plugins/metadata/plugin.go of containerd v2.3."""


def migrate(document: dict[str, Any], version: int) -> None:
    """In a document of containerd's newest version, call the store by our name."""
    if version == 4:
        migrations.adopt(document, BOLT, LMDB, KEYS)
        migrations.rename(document, BOLT, LMDB)
