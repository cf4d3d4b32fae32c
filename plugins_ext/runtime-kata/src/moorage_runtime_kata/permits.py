"""Annotations by which Kata lets itself be configured, and which of them may get to it.

They come from whoever makes a pod, and some say which program runs on the host (CVE-2020-27151, CVE-2026-44210,
CVE-2026-47243). Kata has a list of its own, ``enable_annotations``; ours comes before it, and is empty by default.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import TypeVar

V = TypeVar("V")

PREFIX = "io.katacontainers."

_HYPERVISOR = f"{PREFIX}config.hypervisor."

POWERFUL = (
    f"{PREFIX}config_path",
    f"{PREFIX}pkg.oci.bundle_path",
    f"{_HYPERVISOR}path",
    f"{_HYPERVISOR}ctlpath",
    f"{_HYPERVISOR}jailer_path",
    f"{_HYPERVISOR}virtio_fs_daemon",
    f"{_HYPERVISOR}virtio_fs_extra_args",
    f"{_HYPERVISOR}guest_hook_path",
    f"{_HYPERVISOR}vhost_user_store_path",
    f"{_HYPERVISOR}file_mem_backend",
    f"{_HYPERVISOR}entropy_source",
    f"{_HYPERVISOR}kernel",
    f"{_HYPERVISOR}kernel_params",
    f"{_HYPERVISOR}image",
    f"{_HYPERVISOR}initrd",
    f"{_HYPERVISOR}firmware",
    f"{_HYPERVISOR}firmware_volume",
)
"""Those that name a program, a file or arguments on the host (docs/how-to/how-to-set-sandbox-config-kata.md there)."""

_SUSPECT = (f"{PREFIX}*path", f"{PREFIX}*_args", f"{PREFIX}*_daemon")
"""How such names end, for versions of Kata that know more of them."""


def matches(pattern: str, name: str) -> bool:
    """``*`` stands for anything, also for dots."""
    return fnmatchcase(name, pattern)


def allowed(given: Mapping[str, V], patterns: Iterable[str]) -> tuple[dict[str, V], list[str]]:
    """What may pass, and the names of what may not. Annotations of others pass."""
    listed = tuple(patterns)
    refused = [
        name for name in given if name.startswith(PREFIX) and not any(matches(pattern, name) for pattern in listed)
    ]
    return {name: value for name, value in given.items() if name not in refused}, sorted(refused)


def powerful(patterns: Iterable[str]) -> list[str]:
    """Which of the patterns let a pod choose what runs, or is read, on the host."""
    return [
        pattern
        for pattern in patterns
        if any(matches(pattern, name) for name in POWERFUL) or any(matches(suspect, pattern) for suspect in _SUSPECT)
    ]
