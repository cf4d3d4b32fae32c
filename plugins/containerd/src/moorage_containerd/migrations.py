"""Steps that containerd's files take and that belong to none of our plugins (a module of ``moorage.config``).

Version 1 had short names for plugins (``v1Migrate`` in cmd/containerd/server/config/config.go of v2.3); version 3 split
the table of CRI (plugins/cri in the same) and gave two monitors other names. Standard library only.
"""

from __future__ import annotations

from typing import Any

from moorage_containerd import cri
from moorage_containerd.absences import ABSENT

__all__ = ["ABSENT", "migrate"]

_SHORT = {
    "cri": "io.containerd.grpc.v1.cri",
    "cgroups": "io.containerd.monitor.v1.cgroups",
    "linux": "io.containerd.runtime.v1.linux",
    "scheduler": "io.containerd.gc.v1.scheduler",
    "bolt": "io.containerd.metadata.v1.bolt",
    "task": "io.containerd.runtime.v2.task",
    "opt": "io.containerd.internal.v1.opt",
    "restart": "io.containerd.internal.v1.restart",
    "tracing": "io.containerd.internal.v1.tracing",
    "otlp": "io.containerd.tracing.processor.v1.otlp",
    **{
        name: f"io.containerd.snapshotter.v1.{name}"
        for name in ("aufs", "btrfs", "devmapper", "native", "overlayfs", "zfs", "windows", "windows-lcow")
    },
}
_RENAMED = {
    "io.containerd.internal.v1.restart": "io.containerd.monitor.container.v1.restart",
    "io.containerd.monitor.v1.cgroups": "io.containerd.monitor.task.v1.cgroups",
}
_LISTS = ("disabled_plugins", "required_plugins")


def migrate(document: dict[str, Any], version: int) -> None:
    """Bring a document of ``version`` to the next, in place."""
    plugins = document.get("plugins")
    tables = plugins if isinstance(plugins, dict) else {}
    if version == 1:
        _rename(tables, {name: full(name) for name in tables})
        for key in _LISTS:
            listed = document.get(key)
            if isinstance(listed, list):
                listed[:] = [full(name) if isinstance(name, str) else name for name in listed]
    if version < 4:
        _rename(tables, _RENAMED)
        cri.split(tables)


def full(name: str) -> str:
    """The URI behind a name of version 1; what nobody knows is one of the gRPC services, as containerd guesses, too."""
    if "." in name:
        return name
    if name.endswith("-service"):
        return f"io.containerd.service.v1.{name}"
    return _SHORT.get(name, f"io.containerd.grpc.v1.{name}")


def _rename(tables: dict[str, Any], names: dict[str, str]) -> None:
    """Give tables other names, in their order. The last of two that come to one name stays, as in containerd."""
    if any(old in tables and old != new for old, new in names.items()):
        renamed = {names.get(name, name): table for name, table in tables.items()}
        tables.clear()
        tables.update(renamed)
