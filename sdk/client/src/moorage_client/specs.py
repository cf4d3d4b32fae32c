"""OCI runtime specifications: what a container is, as one JSON value.

Defaults are those of ``pkg/oci/spec.go``, ``mounts.go`` and ``spec_opts.go`` in containerd v2.3. Every call builds
fresh lists: two containers of one image share nothing that could be changed under them (CVE-2021-21334).
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moorage_client import capabilities, devices, environments
from moorage_client.manifests import Config
from moorage_client.users import User
from moorage_client.volumes import Volume
from moorage_sdk import errors

VERSION = "1.0.2"
"""What the oldest runc and crun that are still packaged know; nothing newer is used here."""

CPU_PERIOD = 100_000
"""Microseconds; the kernel's default, and the unit of ``Limits.cpu_quota``."""

RLIMIT_NOFILE = 1024

MASKED = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
    "/proc/scsi",
)
READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
NAMESPACES = ("pid", "ipc", "uts", "mount", "network")
MOUNTS = (
    ("/proc", "proc", "proc", ("nosuid", "noexec", "nodev")),
    ("/dev", "tmpfs", "tmpfs", ("nosuid", "strictatime", "mode=755", "size=65536k")),
    ("/dev/pts", "devpts", "devpts", ("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5")),
    ("/dev/shm", "tmpfs", "shm", ("nosuid", "noexec", "nodev", "mode=1777", "size=65536k")),
    ("/dev/mqueue", "mqueue", "mqueue", ("nosuid", "noexec", "nodev")),
    ("/sys", "sysfs", "sysfs", ("nosuid", "noexec", "nodev", "ro")),
    ("/run", "tmpfs", "tmpfs", ("nosuid", "strictatime", "mode=755", "size=65536k")),
)
CGROUP_MOUNT = ("/sys/fs/cgroup", "cgroup", "cgroup", ("ro", "nosuid", "noexec", "nodev"))


@dataclass(frozen=True)
class Limits:
    """0 is no limit. ``memory`` in bytes, ``cpu_quota`` in microseconds per CPU_PERIOD."""

    memory: int = 0
    cpu_quota: int = 0
    pids: int = 0


@dataclass(frozen=True)
class Settings:
    """What a person asks of a container beyond its image. None and "" leave it to the image or the default."""

    command: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] | None = None
    env: tuple[str, ...] = ()
    working_dir: str = ""
    user: str = ""
    hostname: str = ""
    terminal: bool = False
    read_only: bool = False
    privileged: bool = False
    new_privileges: bool = False
    host_network: bool = False
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    volumes: tuple[Volume, ...] = ()
    limits: Limits = Limits()
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Host:
    """What a specification depends on beside image and wishes: facts of the daemon's host.

    ``unified_cgroups`` is cgroup v2 alone; ``network_files`` are those that a container on the host's network shares.
    """

    unified_cgroups: bool
    hostname: str = ""
    network_files: tuple[str, ...] = ()


def this_host() -> Host:
    """The facts of the machine that this process runs on, which is the daemon's."""
    files = tuple(path for path in ("/etc/hosts", "/etc/resolv.conf") if Path(path).exists())
    return Host(Path("/sys/fs/cgroup/cgroup.controllers").exists(), os.uname().nodename, files)


def build(namespace: str, id: str, config: Config, user: User, settings: Settings, host: Host) -> dict[str, Any]:
    """The specification. Raises errors.InvalidArgument for wishes that make no sense."""
    return {
        "ociVersion": VERSION,
        "process": process(config, user, settings),
        "root": {"path": "rootfs", **({"readonly": True} if settings.read_only else {})},
        "hostname": settings.hostname or (host.hostname if settings.host_network else id[:63]),
        "mounts": _mounts(settings, host),
        "annotations": dict(settings.annotations),
        "linux": _linux(namespace, id, settings, host),
    }


def process(config: Config, user: User, settings: Settings) -> dict[str, Any]:
    """The init process."""
    env = environments.merged(config.env or (environments.PATH,), settings.env)
    if settings.terminal:
        env = environments.merged(["TERM=xterm"], env)
    return {
        "terminal": settings.terminal,
        "user": {"uid": user.uid, "gid": user.gid, "additionalGids": list(user.groups)},
        "args": _arguments(config, settings),
        "env": list(env),
        "cwd": working_dir(settings.working_dir or config.working_dir or "/"),
        "capabilities": _capabilities(settings),
        "rlimits": [{"type": "RLIMIT_NOFILE", "hard": RLIMIT_NOFILE, "soft": RLIMIT_NOFILE}],
        "noNewPrivileges": not (settings.new_privileges or settings.privileged),
    }


def working_dir(path: str) -> str:
    """A directory of the container, made absolute.

    Raises errors.InvalidArgument for one in ``/proc/self/fd`` and the like, which would be the runtime's descriptors
    (CVE-2024-21626).
    """
    # normpath keeps two leading slashes, as POSIX lets it.
    normal = "/" + posixpath.normpath(posixpath.join("/", path)).lstrip("/")
    parts = normal.split("/")
    if len(parts) > 3 and parts[1] == "proc" and "fd" in parts[3:]:
        raise errors.InvalidArgument(f'working directory "{path}": not allowed: invalid argument')
    return normal


def _arguments(config: Config, settings: Settings) -> list[str]:
    """The command replaces the image's; a new entrypoint drops the image's command too, as docker does."""
    entrypoint = config.entrypoint if settings.entrypoint is None else settings.entrypoint
    default = config.command if settings.entrypoint is None else ()
    arguments = [*entrypoint, *(settings.command or default)]
    if not arguments:
        raise errors.InvalidArgument("container: no command, and the image has none: invalid argument")
    if any("\0" in each for each in arguments):
        raise errors.InvalidArgument("container: null byte in the command: invalid argument")
    return arguments


def _capabilities(settings: Settings) -> dict[str, list[str]]:
    """Never inheritable nor ambient ones (CVE-2022-24769 and its siblings)."""
    base = capabilities.current() if settings.privileged else capabilities.DEFAULT
    names = capabilities.adjusted(base, settings.cap_add, settings.cap_drop)
    return {kind: list(names) for kind in ("bounding", "effective", "permitted")}


def _mounts(settings: Settings, host: Host) -> list[dict[str, Any]]:
    """A volume takes the place of whatever would be mounted at its target."""
    targets = {volume.target for volume in settings.volumes}
    files = host.network_files if settings.host_network else ()
    shared = [Volume(path, path, ("ro",)) for path in files if path not in targets]
    system = [
        _mount(target, kind, source, options, settings.privileged)
        for target, kind, source, options in (*MOUNTS, CGROUP_MOUNT)
        if target not in targets
    ]
    return system + [volume.mount() for volume in (*shared, *settings.volumes)]


def _mount(target: str, kind: str, source: str, options: Sequence[str], privileged: bool) -> dict[str, Any]:
    if privileged and kind in ("sysfs", "cgroup"):
        options = [*(option for option in options if option != "ro"), "rw"]
    return {"destination": target, "type": kind, "source": source, "options": list(options)}


def _linux(namespace: str, id: str, settings: Settings, host: Host) -> dict[str, Any]:
    linux: dict[str, Any] = {
        "cgroupsPath": posixpath.join("/", namespace, id),
        "namespaces": _namespaces(settings, host),
        "resources": _resources(settings),
    }
    if settings.privileged:
        linux["devices"] = devices.of_host()
    else:
        linux |= {"maskedPaths": list(MASKED), "readonlyPaths": list(READ_ONLY)}
    return linux


def _namespaces(settings: Settings, host: Host) -> list[dict[str, str]]:
    kinds = [kind for kind in NAMESPACES if kind != "network" or not settings.host_network]
    if host.unified_cgroups and not settings.privileged:
        kinds.append("cgroup")
    return [{"type": kind} for kind in kinds]


def _resources(settings: Settings) -> dict[str, Any]:
    limits = settings.limits
    rules = [{"allow": True, "access": "rwm"}] if settings.privileged else devices.default_rules()
    resources: dict[str, Any] = {"devices": rules}
    if limits.memory:
        resources["memory"] = {"limit": limits.memory}
    if limits.cpu_quota:
        resources["cpu"] = {"quota": limits.cpu_quota, "period": CPU_PERIOD}
    if limits.pids:
        resources["pids"] = {"limit": limits.pids}
    return resources
