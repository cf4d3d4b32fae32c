"""File systems that every container has (``pkg/oci/mounts.go`` in containerd v2.3), and volumes on top of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from moorage_specs.settings import Host, Settings
from moorage_specs.volumes import Volume

SYSTEM = (
    ("/proc", "proc", "proc", ("nosuid", "noexec", "nodev")),
    ("/dev", "tmpfs", "tmpfs", ("nosuid", "strictatime", "mode=755", "size=65536k")),
    ("/dev/pts", "devpts", "devpts", ("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5")),
    ("/dev/shm", "tmpfs", "shm", ("nosuid", "noexec", "nodev", "mode=1777", "size=65536k")),
    ("/dev/mqueue", "mqueue", "mqueue", ("nosuid", "noexec", "nodev")),
    ("/sys", "sysfs", "sysfs", ("nosuid", "noexec", "nodev", "ro")),
    ("/run", "tmpfs", "tmpfs", ("nosuid", "strictatime", "mode=755", "size=65536k")),
    ("/sys/fs/cgroup", "cgroup", "cgroup", ("ro", "nosuid", "noexec", "nodev")),
)
"""Target, type, source and options."""


def of(settings: Settings, host: Host) -> list[dict[str, Any]]:
    """``mounts`` of a specification. A volume takes the place of whatever would be mounted at its target."""
    targets = {volume.target for volume in settings.volumes}
    files = host.network_files if settings.host_network else ()
    shared = [Volume(path, path, ("ro",)) for path in files if path not in targets]
    system = [
        _mount(target, kind, source, options, settings.privileged)
        for target, kind, source, options in SYSTEM
        if target not in targets
    ]
    return system + [volume.mount() for volume in (*shared, *settings.volumes)]


def _mount(target: str, kind: str, source: str, options: Sequence[str], privileged: bool) -> dict[str, Any]:
    if privileged and kind in ("sysfs", "cgroup"):
        options = [*(option for option in options if option != "ro"), "rw"]
    return {"destination": target, "type": kind, "source": source, "options": list(options)}
