"""The settings of containerd's inner diff service, which are those of its outer one here (of ``moorage.config``)."""

from __future__ import annotations

from typing import Any

from moorage_sdk import migrations

INNER = "io.containerd.service.v1.diff-service"
OUTER = "io.containerd.grpc.v1.diff"
KEYS = ("default", "sync_fs")
"""``config`` in plugins/services/diff/local.go of containerd v2.3."""


def migrate(document: dict[str, Any], version: int) -> None:
    """In a document of containerd's newest version, call the service by our name."""
    if version == 4:
        migrations.adopt(document, INNER, OUTER, KEYS)
        migrations.rename(document, INNER, OUTER)
