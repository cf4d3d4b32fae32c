"""The tables that servers were configured with up to configuration version 3, and the flags that name their settings.

Version 4 moved them under ``[plugins]`` (``serviceMigrate`` in cmd/containerd/server/config/config.go of v2.3).
A table of ``[plugins]`` that is there already wins, as it does in containerd. Standard library only: this runs for
disabled servers, too.
"""

from __future__ import annotations

import os
from typing import Any

_TABLES = ("grpc", "ttrpc", "metrics")
_TABLES_AND_DEBUG = ("grpc", "ttrpc", "debug", "metrics")

GRPC = "io.containerd.server.v1.grpc"
TCP = "io.containerd.server.v1.grpc-tcp"
TTRPC = "io.containerd.server.v1.ttrpc"
DEBUG = "io.containerd.server.v1.debug"
METRICS = "io.containerd.server.v1.metrics"
PROMETHEUS = "io.containerd.metrics.v1.grpc-prometheus"

_MOVED = "read up to version 3; since version 4 these settings stand in the tables of servers"
ABSENT: dict[tuple[str, ...], str] = {
    **{(name,): f'{_MOVED}, [plugins."io.containerd.server.v1.{name}"]' for name in _TABLES},
    **{("debug", name): f'{_MOVED}, [plugins."{DEBUG}"]' for name in ("address", "uid", "gid")},
}
"""What a file of version 4 says in vain, in containerd without a word."""

FLAGS: dict[str, tuple[str, ...]] = {"address": ("plugins", GRPC, "address")}

_SIZES = {"max_recv_message_size": "max_recv_message_size", "max_send_message_size": "max_send_message_size"}
_GRPC = {"address": "address", "uid": "uid", "gid": "gid", **_SIZES}
_TCP = {
    "tcp_address": "address",
    "tcp_tls_ca": "tls_ca",
    "tcp_tls_cert": "tls_cert",
    "tcp_tls_key": "tls_key",
    "tcp_tls_common_name": "tls_common_name",
    **_SIZES,
}
_OWNER = ("uid", "gid")
_SOCKET = {"address": "address", "uid": "uid", "gid": "gid"}


def migrate(document: dict[str, Any], version: int) -> None:
    """Move the tables of a document of ``version`` to where version 4 wants them, in place."""
    if version != 3:
        return
    grpc, ttrpc, debug, metrics = (_table(document, name) for name in _TABLES_AND_DEBUG)
    _move(document, GRPC, _owned(grpc), _GRPC)
    if grpc.get("tcp_address"):
        _move(document, TCP, grpc, _TCP)
    if grpc.get("address") and not ttrpc.get("address"):
        derived = {key: ttrpc.get(key) or grpc.get(key) for key in _OWNER}  # 0 is as good as unset
        _move(document, TTRPC, _owned({**derived, "address": f"{grpc['address']}.ttrpc"}), _SOCKET)
    else:
        _move(document, TTRPC, _owned(ttrpc), _SOCKET)
    if debug.get("address"):
        _move(document, DEBUG, _owned(debug), _SOCKET)
    if metrics.get("address"):
        _move(document, METRICS, metrics, {"address": "address"})
    _move(document, PROMETHEUS, metrics, {"grpc_histogram": "grpc_histogram"})
    _keep(document, GRPC, grpc, {**_GRPC, **_TCP})
    _keep(document, TTRPC, ttrpc, _SOCKET)
    _keep(document, METRICS, metrics, {"address": "", "grpc_histogram": ""})
    for name in _TABLES:
        if isinstance(document.get(name), dict):
            del document[name]
    for key in _SOCKET:
        debug.pop(key, None)


def _table(document: dict[str, Any], name: str) -> dict[str, Any]:
    """The table itself, to take out of it; a value that is no table is left alone, for the decoder to complain of."""
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _keep(document: dict[str, Any], uri: str, table: dict[str, Any], known: dict[str, str]) -> None:
    """Let keys that nobody knows be reported by the server that would have them; a misspelt one means something."""
    strange = {key: value for key, value in table.items() if key not in known}
    plugins = document.setdefault("plugins", {}) if strange else {}
    settings = plugins.setdefault(uri, {}) if strange and isinstance(plugins, dict) else {}
    if isinstance(settings, dict):
        settings.update({key: value for key, value in strange.items() if key not in settings})


def _owned(table: dict[str, Any]) -> dict[str, Any]:
    """With an address comes an owner, root where none is said, so that a drop-in's socket is not the older one's."""
    if not table.get("address"):
        return table
    return {**table, "uid": table.get("uid") or os.geteuid(), "gid": table.get("gid") or os.getegid()}


def _move(document: dict[str, Any], uri: str, table: dict[str, Any], keys: dict[str, str]) -> None:
    """Settings that say something: 0 and "" are what was not set, in Go's eyes, but for the owner of a socket."""
    owned = _OWNER if table.get("address") else ()
    settings = {new: table[old] for old, new in keys.items() if old in table and (old in owned or _says(table[old]))}
    plugins = document.setdefault("plugins", {}) if settings else {}
    if settings and isinstance(plugins, dict):
        plugins.setdefault(uri, settings)


def _says(value: object) -> bool:
    return isinstance(value, bool) or value not in (None, "", 0)
