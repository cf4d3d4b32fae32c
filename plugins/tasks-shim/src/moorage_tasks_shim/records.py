"""What the next daemon must know of a task: ``moorage.json`` in its bundle.

``bootstrap.json`` and ``shim-binary-path`` are written beside it for shims of other runtimes, because that is where
their own tools, and containerd, look.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from moorage_sdk import errors
from moorage_sdk.runtimes import Endpoint
from moorage_sdk.tasks import Bundle, Stdio
from moorage_sys import files
from moorage_tasks_shim.bundles import Bundles

NOWHERE = Stdio()
FILE = "moorage.json"
BOOTSTRAP = "bootstrap.json"
BINARY = "shim-binary-path"


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
    """Write the record, and containerd's own files if there is a binary. Raises OSError."""
    folder = Path(bundle.path)
    files.replace(folder / FILE, json.dumps(asdict(record)).encode())
    if record.binary:
        files.replace(folder / BINARY, record.binary.encode())
    if (record.binary or record.sandbox) and record.endpoint:
        answer = {"version": record.endpoint.version, "address": f"unix://{record.endpoint.path}", "protocol": "ttrpc"}
        files.replace(folder / BOOTSTRAP, json.dumps(answer).encode())


def enter(bundles: Bundles, bundle: Bundle, record: Record) -> None:
    """Write the record into a new bundle, which goes when that fails. Raises as ``save`` and ``Bundles.delete``."""
    try:
        save(bundle, record)
    except BaseException:
        bundles.delete(bundle)
        raise


def load(bundle: Bundle) -> Record:
    """Raises errors.NotFound for a bundle without a record, errors.DataLoss for one that cannot be read."""
    path = Path(bundle.path, FILE)
    try:
        data = json.loads(path.read_bytes())
        endpoint = Endpoint(**data["endpoint"]) if data["endpoint"] else None
        return Record(data["runtime"], Stdio(**data["stdio"]), data["binary"], endpoint, data.get("sandbox", ""))
    except FileNotFoundError as error:
        raise errors.NotFound(f'task record "{path}": not found') from error
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise errors.DataLoss(f'task record "{path}": {error}: data loss') from error
