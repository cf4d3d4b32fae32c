"""What people ask of a container beyond its image, and what of the host it depends on."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from moorage_sdk import platforms
from moorage_specs.confinements import Confinement
from moorage_specs.volumes import Volume

CPU_PERIOD = 100_000
"""Microseconds; the kernel's default, and the unit of ``Limits.cpu_quota``."""


@dataclass(frozen=True)
class Limits:
    """0 is no limit. ``memory`` in bytes, ``cpu_quota`` in microseconds per CPU_PERIOD."""

    memory: int = 0
    cpu_quota: int = 0
    pids: int = 0


@dataclass(frozen=True)
class Settings:
    """None and "" leave it to the image or the default. ``sysctls`` are ``NAME=VALUE``."""

    command: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] | None = None
    env: tuple[str, ...] = ()
    working_dir: str = ""
    user: str = ""
    hostname: str = ""
    terminal: bool = False
    read_only: bool = False
    privileged: bool = False
    host_network: bool = False
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    volumes: tuple[Volume, ...] = ()
    limits: Limits = Limits()
    confinement: Confinement = field(default_factory=Confinement)
    sysctls: tuple[str, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Host:
    """``unified_cgroups`` is cgroup v2 alone; ``network_files`` is what sharing its network takes.

    ``architecture`` is Go's name of it; ``kernel`` the first two numbers of its version.
    """

    unified_cgroups: bool
    hostname: str = ""
    network_files: tuple[str, ...] = ()
    architecture: str = "amd64"
    kernel: tuple[int, int] = (5, 3)


def this_host() -> Host:
    """The facts of the machine that this process runs on, which is the daemon's."""
    system = os.uname()
    return Host(
        unified_cgroups=Path("/sys/fs/cgroup/cgroup.controllers").exists(),
        hostname=system.nodename,
        network_files=tuple(path for path in ("/etc/hosts", "/etc/resolv.conf") if Path(path).exists()),
        architecture=platforms.host().architecture,
        kernel=kernel_version(system.release),
    )


def kernel_version(release: str) -> tuple[int, int]:
    """The first two numbers of a release such as ``6.1.0-18-amd64``; (0, 0) for one that has none."""
    found = re.match(r"([0-9]+)\.([0-9]+)", release, re.ASCII)
    return (int(found[1]), int(found[2])) if found else (0, 0)
