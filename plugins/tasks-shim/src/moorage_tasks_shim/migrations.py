"""The settings of containerd's shim manager, which are the task manager's here (a module of ``moorage.config``)."""

from __future__ import annotations

from typing import Any

from moorage_sdk import migrations

MANAGER = "io.containerd.shim.v1.manager"
TASKS = "io.containerd.runtime.v2.task"
KEYS = ("env", "socket_dir")
"""``Config`` in core/runtime/v2/shim_manager.go of containerd v2.3."""


def migrate(document: dict[str, Any], version: int) -> None:
    """In a document of containerd's newest version, call the manager by our name."""
    if version == 4:
        migrations.adopt(document, MANAGER, TASKS, KEYS)
        migrations.rename(document, MANAGER, TASKS)
