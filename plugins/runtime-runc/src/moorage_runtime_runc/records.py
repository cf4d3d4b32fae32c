"""What the next monitor must know of a container, as one JSON file in its bundle.

``<tasks>/<namespace>/<id>`` in the monitor's own folder is a link to the bundle, which is how the file is found again.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from moorage_runtime_runc.runtimes import Settings
from moorage_sdk import errors
from moorage_sdk.tasks import Status, Stdio
from moorage_sys import files

FILE = "moorage-task.json"


@dataclass(frozen=True)
class ProcessRecord:
    """A process: ``started`` is its start time in clock ticks, so that a recycled pid is told apart."""

    id: str
    stdio: Stdio = field(default_factory=Stdio)
    status: Status = Status.CREATED
    pid: int = 0
    started: int = 0
    exit_status: int = 0
    exited_at: int = 0
    stdin_open: bool = True
    spec: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class TaskRecord:
    """A container. ``creating`` says that Create had not finished: what there is of it is to be removed.

    ``event`` is the last that was to be sent, as hexadecimal digits; whether it was, its number tells.
    """

    namespace: str
    id: str
    bundle: str
    settings: Settings
    init: ProcessRecord
    execs: tuple[ProcessRecord, ...] = field(default=())
    mounted: bool = False
    paused: bool = False
    creating: bool = False
    restore_from: str = ""
    parent_checkpoint: str = ""
    pausing: bool = False
    deleting: bool = False
    event_number: int = 0
    event: str = ""


def write(record: TaskRecord) -> None:
    """Replace the record in the bundle, whole or not at all. Raises OSError."""
    # json.dump encodes in Python, asdict copies everything deeply, and this is written for each event.
    files.replace(Path(record.bundle, FILE), json.dumps(record, default=vars).encode())


def read(bundle: Path) -> TaskRecord:
    """Raises errors.NotFound without a record, errors.DataLoss for one that cannot be read."""
    path = bundle / FILE
    try:
        data = json.loads(path.read_text("utf-8"))
        init, execs = _process(data.pop("init")), tuple(_process(each) for each in data.pop("execs"))
        bytes.fromhex(data.get("event", ""))  # a fault is found here and not in the middle of an adoption
        return TaskRecord(**{**data, "settings": Settings(**data["settings"])}, init=init, execs=execs)
    except FileNotFoundError as error:
        raise errors.NotFound(f'task record "{path}": not found') from error
    except (OSError, ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise errors.DataLoss(f'task record "{path}": {error}') from error


class Index:
    """Which bundles there are."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, exist_ok=True)

    def add(self, namespace: str, id: str, bundle: Path) -> None:
        place = self._folder / namespace
        place.mkdir(mode=0o700, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            (place / id).unlink()
        (place / id).symlink_to(bundle)

    def remove(self, namespace: str, id: str) -> None:
        (self._folder / namespace / id).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            (self._folder / namespace).rmdir()

    def bundles(self) -> Iterator[tuple[str, str, Path]]:
        """Namespace, id and bundle of every container, also of one whose bundle is no longer there."""
        for link in sorted(self._folder.glob("*/*")):
            if link.is_symlink():
                yield link.parent.name, link.name, link.readlink()


def _process(data: dict[str, Any]) -> ProcessRecord:
    known = {each.name for each in fields(ProcessRecord)}
    values = {name: value for name, value in data.items() if name in known}
    return ProcessRecord(**{**values, "stdio": Stdio(**data["stdio"]), "status": Status(data["status"])})
