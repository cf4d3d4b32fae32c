"""What was met of the deprecated, and which of containerd's warnings can be met here (``pkg/deprecation``).

The others are about CRI, NRI and tracing.
"""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

from moorage_api.messages import tasks
from moorage_sdk.deprecations import PREFIX, Deprecation, Deprecations

log = logging.getLogger(__name__)

CGROUP_V1 = "cgroup-v1"
TASK_API_ADDRESS = "runc-options-task-api-address"
TASK_API_VERSION = "runc-options-task-api-version"

MESSAGES = {
    CGROUP_V1: "this host mounts cgroup v1, which containerd 2.2 deprecated and drops in May 2029 at the latest;"
    " boot it with cgroup v2 only (systemd.unified_cgroup_hierarchy=1)",
    TASK_API_ADDRESS: "a client puts task_api_address into the options of runc, which containerd 2.3 deprecated;"
    " it belongs into CreateTaskRequest",
    TASK_API_VERSION: "a client puts task_api_version into the options of runc, which containerd 2.3 deprecated;"
    " it belongs into CreateTaskRequest",
}


class Register(Deprecations):
    """In memory: after a restart what is still in use is met again."""

    def __init__(self) -> None:
        self._met: dict[str, Deprecation] = {}
        self._guard = threading.Lock()

    def warn(self, id: str, message: str) -> None:
        with self._guard:
            first = id not in self._met
            self._met[id] = Deprecation(PREFIX + id, message, time.time_ns())
        if first:
            log.warning("deprecated: %s", message)

    def met(self) -> tuple[Deprecation, ...]:
        with self._guard:
            return tuple(self._met[id] for id in sorted(self._met))


def look_at_host(register: Deprecations, root: Path = Path("/sys/fs/cgroup")) -> None:
    """Warn of cgroup v1, alone or beside v2: only the root of a v2 hierarchy has this file."""
    if not (root / "cgroup.controllers").exists():
        register.warn(CGROUP_V1, MESSAGES[CGROUP_V1])


def look_at_task(register: Deprecations, request: tasks.CreateTaskRequest, address: str, version: int) -> None:
    """Warn of a shim's address and version that the request itself does not have, but its options."""
    if address and not request.task_api_address:
        register.warn(TASK_API_ADDRESS, MESSAGES[TASK_API_ADDRESS])
    if version and not request.task_api_version:
        register.warn(TASK_API_VERSION, MESSAGES[TASK_API_VERSION])
