"""OCI runtime specifications: what a container is, as one JSON value.

Defaults are those of ``pkg/oci/spec.go``, ``mounts.go`` and ``spec_opts.go`` in containerd v2.3. Every call builds
fresh lists: two containers of one image share nothing that could be changed under them (CVE-2021-21334).
"""

from __future__ import annotations

import posixpath
from typing import Any

from moorage_specs import devices, mounts, processes, seccomp, seccomp_files, sysctls
from moorage_specs.configs import Config
from moorage_specs.settings import CPU_PERIOD, Host, Settings
from moorage_specs.users import User

VERSION = "1.0.2"
"""What the oldest runc and crun that are still packaged know; nothing newer is used here."""

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


def build(namespace: str, id: str, config: Config, user: User, settings: Settings, host: Host) -> dict[str, Any]:
    """The specification. Raises errors.InvalidArgument for wishes that make no sense."""
    process = processes.init(config, user, settings)
    facts = seccomp.Facts(host.architecture, host.kernel, seccomp.bounding(process))
    return {
        "ociVersion": VERSION,
        "process": process,
        "root": {"path": "rootfs", **({"readonly": True} if settings.read_only else {})},
        "hostname": settings.hostname or (host.hostname if settings.host_network else id[:63]),
        "mounts": mounts.of(settings, host),
        "annotations": dict(settings.annotations),
        "linux": _linux(posixpath.join("/", namespace, id), settings, host, facts),
    }


def _linux(cgroup: str, settings: Settings, host: Host, facts: seccomp.Facts) -> dict[str, Any]:
    kinds = _namespaces(settings, host)
    linux: dict[str, Any] = {
        "cgroupsPath": cgroup,
        "namespaces": [{"type": kind} for kind in kinds],
        "resources": _resources(settings),
    }
    if settings.privileged:
        linux["devices"] = devices.of_host()
    else:
        linux |= {"maskedPaths": list(MASKED), "readonlyPaths": list(READ_ONLY)}
    if profile := _seccomp(settings, facts):
        linux["seccomp"] = profile
    if label := settings.confinement.labels.mount:
        linux["mountLabel"] = label
    if settings.sysctls:
        linux["sysctl"] = sysctls.parse(settings.sysctls, kinds)
    return linux


def _seccomp(settings: Settings, facts: seccomp.Facts) -> dict[str, Any] | None:
    chosen = settings.confinement.seccomp
    if chosen is None:
        return None if settings.privileged else seccomp.profile(facts)
    return seccomp_files.resolved(chosen, facts) if chosen else None


def _namespaces(settings: Settings, host: Host) -> list[str]:
    kinds = [kind for kind in NAMESPACES if kind != "network" or not settings.host_network]
    if host.unified_cgroups and not settings.privileged:
        kinds.append("cgroup")
    return kinds


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
