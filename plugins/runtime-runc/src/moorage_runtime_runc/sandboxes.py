"""Sandboxes of this node: a name for containers that belong together, and a life of its own.

There is no process behind one, and nothing to be measured: what containers of a pod share (a network namespace, mounts)
is made by whoever makes the pod. A record in its bundle is all there is of it, so that it outlives the monitor.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from dataclasses import dataclass, field
from pathlib import Path

from moorage_runtime_runc.records import Index
from moorage_sdk import errors, identifiers, namespaces
from moorage_sys import files

log = logging.getLogger(__name__)

FILE = "moorage-sandbox.json"
READY, NOT_READY = "SANDBOX_READY", "SANDBOX_NOTREADY"
"""The words of containerd's controllers (core/sandbox and internal/cri)."""

_TIMES = ("created_at", "started_at", "exited_at")


@dataclass
class Sandbox:
    """Times in nanoseconds since the epoch, 0 for what has not happened."""

    namespace: str
    id: str
    bundle: Path
    created_at: int
    started_at: int = 0
    exited_at: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def state(self) -> str:
        return READY if self.started_at and not self.exited_at else NOT_READY

    def save(self) -> None:
        """Raises OSError."""
        times = {name: getattr(self, name) for name in _TIMES}
        files.replace(self.bundle / FILE, json.dumps(times).encode())


class Sandboxes:
    """All of them, by namespace and id."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._known: dict[tuple[str, str], Sandbox] = {}

    def __len__(self) -> int:
        return len(self._known)

    def get(self, namespace: str, id: str) -> Sandbox:
        """Raises errors.NotFound, errors.FailedPrecondition without a namespace."""
        namespaces.required(namespace)
        try:
            return self._known[namespace, id]
        except KeyError:
            raise errors.NotFound(f'sandbox "{id}": not created: not found') from None

    def create(self, namespace: str, id: str, bundle: Path) -> Sandbox:
        """Raises errors.AlreadyExists, errors.InvalidArgument, errors.NotFound without a bundle, OSError."""
        namespaces.required(namespace)
        identifiers.validate(id, "sandbox id")
        if not bundle.is_absolute():
            raise errors.InvalidArgument(f'bundle "{bundle}": not an absolute path: invalid argument')
        if not bundle.is_dir():
            raise errors.NotFound(f'bundle "{bundle}": no such directory: not found')
        if (namespace, id) in self._known:
            raise errors.AlreadyExists(f'sandbox "{id}": already exists')
        sandbox = Sandbox(namespace, id, bundle, time.time_ns())
        sandbox.save()
        self._index.add(namespace, id, bundle)
        self._known[namespace, id] = sandbox
        return sandbox

    def start(self, sandbox: Sandbox) -> None:
        """Raises errors.FailedPrecondition for one that was started before, OSError."""
        if sandbox.started_at or sandbox.exited_at:
            raise errors.FailedPrecondition(f'sandbox "{sandbox.id}": was started before: failed precondition')
        sandbox.started_at = time.time_ns()
        sandbox.save()

    def stop(self, sandbox: Sandbox) -> None:
        """One that has ended stays as it is. Raises OSError."""
        if not sandbox.exited_at:
            sandbox.exited_at = time.time_ns()
            sandbox.save()
            sandbox.ended.set()

    def remove(self, sandbox: Sandbox) -> None:
        """It ends, if it had not, and is forgotten."""
        sandbox.exited_at = sandbox.exited_at or time.time_ns()
        sandbox.ended.set()
        self._known.pop((sandbox.namespace, sandbox.id), None)
        self._index.remove(sandbox.namespace, sandbox.id)
        (sandbox.bundle / FILE).unlink(missing_ok=True)

    def adopt(self) -> None:
        """Take over those of a monitor that is gone. One without a record was not created, or is removed."""
        for namespace, id, bundle in list(self._index.bundles()):
            try:
                times = json.loads((bundle / FILE).read_bytes())
                created, started, exited = (int(times[name]) for name in _TIMES)
            except FileNotFoundError:
                self._index.remove(namespace, id)
            except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
                log.error("sandbox %s/%s: not taken over: %s", namespace, id, error)
            else:
                sandbox = self._known[namespace, id] = Sandbox(namespace, id, bundle, created, started, exited)
                if exited:
                    sandbox.ended.set()
