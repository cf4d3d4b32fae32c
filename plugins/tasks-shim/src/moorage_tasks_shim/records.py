"""What the next daemon must know of a task: ``moorage.json`` in its bundle.

``shim-binary-path`` is written beside it, and ``bootstrap.json`` for shims of other runtimes, because that is where
their own tools, and containerd, look. What containerd itself left is read there, too.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from moorage_sdk import errors
from moorage_sdk.runtimes import Endpoint
from moorage_sdk.tasks import Bundle, Stdio
from moorage_sys import files
from moorage_tasks_shim import bootstraps
from moorage_tasks_shim.bundles import Bundles

NOWHERE = Stdio()
FILE = "moorage.json"
BOOTSTRAP = "bootstrap.json"
BINARY = "shim-binary-path"
SANDBOX = "sandbox"
"""The id of the sandbox whose shim carries a task."""
ADDRESS = "address"
"""Where shims before containerd 2.0 leave their address by themselves."""

_MAX_FILE = 4096


@dataclass(frozen=True)
class Record:
    """``runtime`` as the client named it, ``binary`` the shim's path if a binary is the shim, ``stdio`` of init.

    ``sandbox`` is the id of the sandbox whose shim carries the task.
    """

    runtime: str
    stdio: Stdio = NOWHERE
    binary: str = ""
    endpoint: Endpoint | None = None
    sandbox: str = ""


def save(bundle: Bundle, record: Record) -> None:
    """Write the record, and containerd's own file for a shim that is found by it. Raises OSError."""
    folder = Path(bundle.path)
    files.replace(folder / FILE, json.dumps(asdict(record)).encode())
    if (record.binary or record.sandbox) and record.endpoint:
        found = record.endpoint
        answer = {"version": found.version, "address": f"unix://{found.path}", "protocol": found.protocol}
        files.replace(folder / BOOTSTRAP, json.dumps(answer).encode())


def enter(bundles: Bundles, bundle: Bundle, record: Record, program: str = "") -> None:
    """Write the record into a new bundle, and the path of the shim's program.

    The bundle goes when that fails. Raises as ``save`` and ``Bundles.delete``.
    """
    try:
        save(bundle, record)
        if program:
            files.replace(Path(bundle.path, BINARY), program.encode())
    except BaseException:
        bundles.delete(bundle)
        raise


def load(bundle: Bundle) -> Record:
    """That of an earlier daemon, be it containerd.

    Raises errors.NotFound for a bundle without a record, errors.DataLoss for one that cannot be read.
    """
    path = Path(bundle.path, FILE)
    try:
        data = json.loads(path.read_bytes())
        endpoint = Endpoint(**data["endpoint"]) if data["endpoint"] else None
        return Record(data["runtime"], Stdio(**data["stdio"]), data["binary"], endpoint, data.get("sandbox", ""))
    except FileNotFoundError as error:
        if found := _of_containerd(Path(bundle.path)):
            return found
        raise errors.NotFound(f'task record "{path}": not found') from error
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise errors.DataLoss(f'task record "{path}": {error}: data loss') from error


def _of_containerd(folder: Path) -> Record | None:
    """What a containerd wrote that ran on the same directories: its shims go on, and are used as they are.

    None for a bundle without it, and for a shim that cannot be spoken to, which is one that is to be cleared up.
    """
    try:
        binary = _text(folder / BINARY)
        answer = _text(folder / BOOTSTRAP) or _text(folder / ADDRESS)
        endpoint = bootstraps.answer(answer.encode()) if answer else None
        sandbox = _text(folder / SANDBOX)
    except (OSError, ValueError, errors.Error):
        return None
    if endpoint is None or not (binary or sandbox):
        return None
    return Record(binary, binary=binary, endpoint=endpoint, sandbox=sandbox)


def _text(path: Path) -> str:
    """Not through a link: whoever could put one there must not choose what we read. Raises OSError, ValueError."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return ""
    with open(fd, encoding="utf-8") as file:
        return file.read(_MAX_FILE)
