"""Host files: what stands in one ``hosts.toml``, or in Docker's certificate files, checked but not yet applied."""

from __future__ import annotations

import logging
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from moorage_sdk import errors
from moorage_sdk.durations import Duration
from moorage_transfer_local.urls import is_web

_log = logging.getLogger(__name__)

MAX_SIZE = 1 << 20
"""Bytes of a hosts.toml that are worth reading."""

KNOWN_CAPABILITIES = ("pull", "resolve", "push", "referrers")
_KEYS = {"capabilities", "ca", "client", "skip_verify", "header", "override_path", "dial_timeout"}


@dataclass(frozen=True)
class Entry:
    """One ``[host."…"]`` table, or the root of the file. ``server`` is ``host[:port]``, empty where not given."""

    server: str = ""
    scheme: str = "https"
    path: str = "/v2"
    capabilities: frozenset[str] = frozenset()
    roots: tuple[Path, ...] = ()
    pairs: tuple[tuple[Path, Path | None], ...] = ()
    skip_verify: bool | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    dial_timeout: float = 30.0

    def replaced(self, *, skip_verify: bool) -> Entry:
        return replace(self, skip_verify=skip_verify)


def load(directory: Path) -> tuple[Entry, ...]:
    """The entries of a host directory, mirrors first, the registry itself last.

    Raises errors.FailedPrecondition for a file that cannot be read or understood.
    """
    file = directory / "hosts.toml"
    try:
        data = _read(file)
    except OSError as error:
        raise _broken(file, error.strerror or str(error)) from error
    if not data.strip():
        return (_certificates(directory),)
    try:
        document = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _broken(file, str(error)) from error
    return tuple(_entries(file, data, document))


def _read(file: Path) -> bytes:
    try:
        with open(file, "rb") as stream:
            data = stream.read(MAX_SIZE + 1)
    except FileNotFoundError:
        return b""
    if len(data) > MAX_SIZE:
        raise OSError(0, f"larger than {MAX_SIZE} bytes")
    return data


def _entries(file: Path, data: bytes, document: dict[str, Any]) -> list[Entry]:
    # A TOML parser keeps the order of tables, and the order of mirrors is the order to try them in.
    mirrors = document.pop("host", {})
    if not isinstance(mirrors, dict) or not all(isinstance(table, dict) for table in mirrors.values()):
        raise _broken(file, '"host" must hold tables such as [host."https://mirror.example"]')
    server = document.pop("server", "")
    return [
        *(_Table(file, data, table, name).entry(name) for name, table in mirrors.items()),
        _Table(file, data, document, "").entry(server),
    ]


@dataclass(frozen=True)
class _Table:
    file: Path
    data: bytes
    values: dict[str, Any]
    name: str

    def entry(self, server: Any) -> Entry:
        for key in self.values:
            if key not in _KEYS:
                _log.warning("%s", self.fault(key, "unknown key, ignored").message)
        scheme, host, path = self._location(server)
        return Entry(
            server=host,
            scheme=scheme,
            path=path,
            capabilities=self._capabilities(),
            roots=tuple(self._path("ca", name) for name in self._list("ca")),
            pairs=tuple(self._pair(item) for item in self._list("client")),
            skip_verify=self._boolean("skip_verify"),
            headers=self._headers(),
            dial_timeout=self._duration("dial_timeout", 30.0),
        )

    def fault(self, key: str, why: str) -> errors.FailedPrecondition:
        """An error with the line where ``key`` first stands behind the head of its table."""
        lines = self.data.decode().splitlines()
        start = next((n for n, line in enumerate(lines) if self.name and f'"{self.name}"' in line), 0)
        wanted = re.compile(rf'\s*(\[.*\.)?"?{re.escape(key)}"?\s*[]=]')
        line = next((n for n, text in enumerate(lines) if n >= start and wanted.match(text)), start)
        where = f'host."{self.name}".{key}' if self.name else key
        return _broken(self.file, f"line {line + 1}: {where}: {why}")

    def _location(self, server: Any) -> tuple[str, str, str]:
        if not isinstance(server, str):
            raise self.fault("server", "expected a string")
        if not server:
            return "https", "", "/v2"
        url = server if "://" in server else f"https://{server}"
        parts = urlsplit(url) if is_web(url) else None
        if parts is None or parts.username is not None or parts.query or parts.fragment:
            raise self.fault("server", f'"{server}" is not a URL of the form http[s]://host[:port][/path]')
        path = parts.path.rstrip("/")
        if not self._boolean("override_path") and not path.endswith("/v2"):
            path += "/v2"
        return parts.scheme, parts.netloc, path

    def _capabilities(self) -> frozenset[str]:
        names = [name.lower() if isinstance(name, str) else "" for name in self._list("capabilities")]
        if unknown := [name for name in names if name not in KNOWN_CAPABILITIES]:
            raise self.fault("capabilities", f'unknown capability "{unknown[0]}"')
        return frozenset(names)

    def _list(self, key: str) -> list[Any]:
        value = self.values.get(key, [])
        if isinstance(value, str):
            return [value]
        if not isinstance(value, list):
            raise self.fault(key, "expected a string or a list")
        return value

    def _path(self, key: str, name: Any) -> Path:
        if not isinstance(name, str):
            raise self.fault(key, "expected paths")
        path = self.file.parent / name
        if not path.is_file():
            raise self.fault(key, f'"{path}": no such file')
        return path

    def _pair(self, item: Any) -> tuple[Path, Path | None]:
        if isinstance(item, list) and len(item) == 2:
            return self._path("client", item[0]), self._path("client", item[1])
        return self._path("client", item), None

    def _boolean(self, key: str) -> bool | None:
        value = self.values.get(key)
        if value is not None and not isinstance(value, bool):
            raise self.fault(key, "expected true or false")
        return value

    def _headers(self) -> dict[str, str]:
        table = self.values.get("header", {})
        if not isinstance(table, dict):
            raise self.fault("header", "expected a table")
        headers = {}
        for name, value in table.items():
            values = value if isinstance(value, list) else [value]
            if not all(isinstance(item, str) and item.isprintable() for item in values):
                raise self.fault(name, "expected a string or a list of strings")
            headers[name] = ", ".join(values)
        return headers

    def _duration(self, key: str, default: float) -> float:
        value = self.values.get(key, "")
        if value == "":
            return default
        try:
            duration = Duration.parse(value if isinstance(value, str) else "")
        except ValueError as error:
            raise self.fault(key, 'expected a duration such as "10s"') from error
        if duration < 0:
            raise self.fault(key, "must not be negative")
        return duration or default  # for Go's dialer 0 is no limit of its own


def _certificates(directory: Path) -> Entry:
    """Docker's layout: ``*.crt`` are roots, ``*.cert`` and the ``*.key`` of the same name are client pairs."""
    try:
        files = sorted(file for file in directory.iterdir() if file.is_file())
    except OSError as error:
        raise _broken(directory, error.strerror or str(error)) from error
    keys = {file.with_suffix(".key") for file in files if file.suffix == ".cert"} & set(files)
    return Entry(
        roots=tuple(file for file in files if file.suffix == ".crt"),
        pairs=tuple(
            (file, file.with_suffix(".key") if file.with_suffix(".key") in keys else None)
            for file in files
            if file.suffix == ".cert"
        ),
    )


def _broken(file: Path, why: str) -> errors.FailedPrecondition:
    return errors.FailedPrecondition(
        f'registry configuration "{file}": {why}: failed precondition',
        hint="nothing is pulled until the file is corrected; no restart is needed then",
    )
