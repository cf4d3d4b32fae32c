"""Configuration files: read with their imports, migrated to the newest version, each value with its place.

Every file is read before any complaint, so that all faults come at once.
"""

from __future__ import annotations

import glob
import json
import os
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moorage_core import positions
from moorage_core.positions import Position
from moorage_sdk import config
from moorage_sdk.config import Key

NEWEST = 4
"""containerd's ``version.ConfigVersion``."""

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")

Migrate = Callable[[dict[str, Any], int], None]


@dataclass(frozen=True)
class Origin:
    """Where a value came from: a file, and its line and column where known; or a flag such as ``--root``."""

    source: str
    position: Position | None = None

    def __str__(self) -> str:
        return self.source + (f":{self.position.line}:{self.position.column}" if self.position else "")


@dataclass(frozen=True)
class Fault:
    """What stops the daemon, or as a warning does not, in the form of a compiler's message."""

    origin: Origin | None
    message: str

    def __str__(self) -> str:
        return f"{self.origin}: {self.message}" if self.origin else self.message


@dataclass
class Document:
    """One file: its table, migrated in place, and the place of each value by its path in that table."""

    path: str
    table: dict[str, Any]
    version: int
    declared: int = 0
    """The version that the file itself says; 0 when it says none."""
    origins: dict[Key, Origin] = field(default_factory=dict)

    def origin(self, key: Key) -> Origin:
        """The place of a key, or of the nearest table around it."""
        return nearest(self.origins, key) or Origin(self.path)


def nearest(origins: Mapping[Key, Origin], key: Key) -> Origin | None:
    """The origin of the longest known prefix of a key."""
    for length in range(len(key), 0, -1):
        if key[:length] in origins:
            return origins[key[:length]]
    return None


def load(path: str) -> tuple[list[Document], list[Fault]]:
    """Read a file and all that it imports, in the order in which they override each other.

    Imports are followed breadth first and relative to their file; a file is read once, by its path without ``..``, so
    cycles end. A pattern may match nothing, a plain path must exist. None may be of a newer version than the first that
    says one.
    """
    documents: list[Document] = []
    faults: list[Fault] = []
    pending: list[tuple[str, Origin | None]] = [(os.path.normpath(Path(path).absolute()), None)]
    seen: set[str] = set()
    while pending:
        current, importer = pending.pop(0)
        if current in seen:
            continue
        seen.add(current)
        document = _read(current, importer, faults)
        if document is not None:
            documents.append(document)
            pending += _imports(document, faults)
    return documents, faults + _newer(documents)


def _newer(documents: Sequence[Document]) -> list[Fault]:
    """Drop-ins ahead of what imports them (``LoadConfigWithPlugins`` in containerd v2.3.4 refuses them, too)."""
    root = next((document.declared for document in documents if document.declared), 0)
    return [
        Fault(document.origin(("version",)), f"version: drop-in of version {document.declared} higher than {root}")
        for document in documents
        if root and document.declared > root
    ]


def _read(path: str, importer: Origin | None, faults: list[Fault]) -> Document | None:
    try:
        text = Path(path).read_bytes().decode()
        table = tomllib.loads(text)
        found: dict[Key, Origin] = {key: Origin(path, place) for key, place in positions.scan(text).items()}
    except OSError as error:
        faults.append(Fault(importer, f'configuration "{path}": {_refusal(error)}'))
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        column = error.start - (error.object.rfind(b"\n", 0, error.start) + 1) + 1
        faults.append(Fault(Origin(path, Position(line, column)), "not UTF-8 text"))
    except tomllib.TOMLDecodeError as error:
        faults.append(_syntax(path, text, str(error)))
    except RecursionError:
        faults.append(Fault(Origin(path), "nested too deeply"))
    else:
        return _versioned(Document(path, table, 0, 0, found), faults)
    return None


def _syntax(path: str, text: str, message: str) -> Fault:
    place = _PLACE.search(message)
    if not place:
        return Fault(Origin(path), message)
    if place[1]:
        position = Position(int(place[1]), int(place[2]))
    else:
        position = Position(text.count("\n") + 1, len(text) - (text.rfind("\n") + 1) + 1)
    return Fault(Origin(path, position), message[: place.start()])


def _versioned(document: Document, faults: list[Fault]) -> Document:
    """As in containerd, no version is version 1, and only a newer one than ours is an error."""
    version = document.table.pop("version", 0)
    place = document.origin(("version",))
    if not isinstance(version, int) or isinstance(version, bool):
        faults.append(Fault(place, f"version: expected integer, got {config.type_name(version)}"))
    elif not 0 <= version <= NEWEST:
        faults.append(Fault(place, f"version: {version} is unknown, this daemon reads up to {NEWEST}"))
    else:
        document.version = max(version, 1)
        document.declared = version
    return document


def _imports(document: Document, faults: list[Fault]) -> list[tuple[str, Origin | None]]:
    """What a document imports. Its own list gets absolute paths, for merged with others it has no one folder."""
    listed = document.table.get("imports", [])
    found: list[tuple[str, Origin | None]] = []
    for index, entry in enumerate(listed if isinstance(listed, list) else []):  # the type is judged with all others
        place = document.origin(("imports", index))
        if not isinstance(entry, str):
            continue
        path = listed[index] = os.path.normpath(Path(document.path).parent / entry)
        if "\0" in path:
            faults.append(Fault(place, f"import {json.dumps(entry)}: no path of a file"))
        elif "*" in path:  # and only then, as in containerd, are ? and [ more than themselves
            faults += _unlisted(path, place)
            found += [(match, place) for match in sorted(glob.glob(path, include_hidden=True))]  # noqa: PTH207 - a whole path
        elif there(path):
            found.append((path, place))
        else:
            faults.append(Fault(place, f'import "{path}": no such file'))
    return found


def _unlisted(pattern: str, place: Origin | None) -> list[Fault]:
    """The fault of a directory that may not be listed, for which glob finds as much as in an empty one."""
    plain = next(each for each in Path(pattern).parents if not glob.has_magic(str(each)))
    try:
        os.scandir(plain).close()
    except PermissionError as error:
        return [Fault(place, f'import "{pattern}": directory "{plain}": {_refusal(error)}')]
    except OSError:  # a pattern may match nothing
        return []
    return []


def there(path: str) -> bool:
    """Whether there is something to read, or it cannot be told, which reading it will say."""
    try:
        Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _refusal(error: OSError) -> str:
    hint = f" (uid {os.geteuid()} must be able to read it)" if isinstance(error, PermissionError) else ""
    return f"{error.strerror or error}{hint}"


def migrate(document: Document, migrations: Sequence[tuple[str, Migrate]]) -> list[Fault]:
    """Bring a document to the newest version, one step at a time, as each distribution knows it.

    The last step begins at the newest version: there, what is another's becomes ours.
    What a migration moves keeps its origin if it stayed the same object, which is the case for strings, arrays, tables;
    a table that it makes gets that of the first thing in it.
    """
    faults: list[Fault] = []
    before = [(key, value) for key, value in _walk(document.table, ()) if key in document.origins]
    places = {id(value): document.origins[key] for key, value in before}  # "before" keeps the ids from being reused
    for version in range(document.version, NEWEST + 1) if document.version else ():
        for name, step in migrations:
            try:
                step(document.table, version)
            except Exception as error:  # noqa: BLE001 - the module is foreign code, and its file the operator's
                faults.append(Fault(Origin(document.path), f"migration by {name}: {type(error).__name__}: {error}"))
    for key, value in _walk(document.table, ()):
        if key not in document.origins and id(value) in places and _single(value):
            document.origins[key] = places[id(value)]
    for key, value in reversed(_walk(document.table, ())):  # the inner ones first
        if key not in document.origins and isinstance(value, dict):
            inside = [document.origins[(*key, name)] for name in value if (*key, name) in document.origins]
            placed = [origin for origin in inside if origin.position]
            if placed:
                document.origins[key] = min(placed, key=lambda origin: origin.position or Position(0, 0))
    return faults


def _single(value: object) -> bool:
    """Whether no two places of a document can share the object; Python keeps one of each short string and number."""
    return isinstance(value, list | dict) or (isinstance(value, str) and len(value) > 1)


def _walk(value: object, key: Key) -> list[tuple[Key, object]]:
    found: list[tuple[Key, object]] = [(key, value)] if key else []
    if isinstance(value, dict):
        for name, item in value.items():
            found += _walk(item, (*key, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            found += _walk(item, (*key, index))
    return found
