"""What the monitor reads in an OCI runtime specification; everything else is the runtime's."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moorage_sdk import errors
from moorage_specs import working_dirs

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Traits:
    """``private_pids``: the kernel kills what init leaves behind. ``labelled``: a security module mediates paths.

    ``poststop``: programs run at the very end, and may still look at the root file system. ``cgroup``: the path of its
    cgroup, "" where systemd names it or the runtime does. ``root``: where the root file system is, as a rule below the
    bundle.
    """

    private_pids: bool = False
    labelled: bool = False
    poststop: bool = False
    cgroup: str = ""
    root: str = "rootfs"


def traits(bundle: Path) -> Traits:
    """Traits of the spec in a bundle. One that cannot be read has none: the runtime will say what is wrong with it."""
    try:
        spec = json.loads((bundle / "config.json").read_bytes())
        namespaces = spec.get("linux", {}).get("namespaces") or []
        process = spec.get("process") or {}
        cgroup = spec.get("linux", {}).get("cgroupsPath")
        return Traits(
            any(each.get("type") == "pid" and not each.get("path") for each in namespaces),
            bool(process.get("apparmorProfile") or process.get("selinuxLabel")),
            bool((spec.get("hooks") or {}).get("poststop")),
            cgroup if isinstance(cgroup, str) and cgroup.startswith("/") else "",
            str((spec.get("root") or {}).get("path") or "rootfs"),
        )
    except (OSError, ValueError, AttributeError, TypeError, RecursionError) as error:
        log.warning("%s/config.json: cannot be read: %s", bundle, error)
        return Traits()


def check(bundle: Path) -> None:
    """Raises errors.InvalidArgument for a spec whose process must not be started. See ``check_process``."""
    try:
        process = json.loads((bundle / "config.json").read_bytes()).get("process")
    except (OSError, ValueError, AttributeError, RecursionError):
        return
    if isinstance(process, dict):
        check_process(process)


def process(value: bytes) -> dict[str, Any]:
    """The OCI process of an exec request. Raises errors.InvalidArgument."""
    try:
        found = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise errors.InvalidArgument(f"process spec: {error}: invalid argument") from error
    if not isinstance(found, dict):
        raise errors.InvalidArgument("process spec: not a JSON object: invalid argument")
    check_process(found)
    return found


def check_process(found: Mapping[str, Any]) -> None:
    """Raises errors.InvalidArgument for a process that must not be started, see ``working_dirs``."""
    if isinstance(cwd := found.get("cwd"), str):
        working_dirs.check(cwd)
