"""Getting rid of a container: through the monitor that knows it, or by hand when none does.

Everything here blocks and is meant for a thread or a program of its own.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from moorage_api.messages import shim_sandbox, shim_v3
from moorage_runtime_runc import processes, records, runtimes
from moorage_runtime_runc.shims import NAMESPACE, SANDBOX, VERSIONS
from moorage_sdk import errors
from moorage_sys import mounts
from moorage_ttrpc import blocking

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from moorage_sdk.tasks import Bundle

log = logging.getLogger(__name__)

TIMEOUT = 20.0
"""Seconds for one call: Delete alone may drain output for ten."""


def ask(socket: Path, bundle: Bundle, method: str, request: Message) -> bytes:
    """One call to the monitor about a container. Raises as ``blocking.call``."""
    payload = request.SerializeToString()
    return blocking.call(socket, VERSIONS[-1], method, payload, [(NAMESPACE, bundle.namespace)], TIMEOUT)


def through_monitor(socket: Path, bundle: Bundle) -> int:
    """Kill, wait and delete; returns the pid. Raises errors.NotFound for a container that the monitor does not know."""
    try:
        ask(socket, bundle, "Kill", shim_v3.KillRequest(id=bundle.id, signal=signal.SIGKILL, all=True))
        ask(socket, bundle, "Wait", shim_v3.WaitRequest(id=bundle.id))
    except (errors.NotFound, errors.FailedPrecondition):
        log.info("task %s/%s: had ended", bundle.namespace, bundle.id)
    answer = ask(socket, bundle, "Delete", shim_v3.DeleteRequest(id=bundle.id))
    return shim_v3.DeleteResponse.FromString(answer).pid


def sandbox(socket: Path, bundle: Bundle) -> bool:
    """Make the monitor forget a sandbox; whether the bundle was that of one."""
    payload = shim_sandbox.ShutdownSandboxRequest(sandbox_id=bundle.id).SerializeToString()
    try:
        blocking.call(socket, SANDBOX, "ShutdownSandbox", payload, [(NAMESPACE, bundle.namespace)], TIMEOUT)
    except errors.Error:
        return False
    return True


def by_hand(bundle: Bundle) -> int:
    """What ``containerd-shim-runc-v2 delete`` does; returns the pid, 0 if it is not known.

    It raises nothing, for there is nobody left who could do more.
    """
    path = Path(bundle.path)
    pid = 0
    with contextlib.suppress(errors.Error):
        pid = processes.read_pid(path / "init.pid")
    try:
        settings = records.read(path).settings
    except errors.Error:
        settings = runtimes.Settings()
    root = Path(settings.root or runtimes.DEFAULT_ROOT, bundle.namespace)
    command = [settings.binary, "--root", str(root), "delete", "--force", bundle.id]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        if done.returncode:
            log.info("%s: %s", " ".join(command), done.stderr.strip())
        mounts.unmount_recursive(path / "rootfs")
        (path / records.FILE).unlink(missing_ok=True)
    except (OSError, subprocess.SubprocessError) as error:
        log.warning("bundle %s: not cleaned up: %s", path, error)
    return pid
