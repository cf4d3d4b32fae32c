"""Hosts: where the images of a registry name are really fetched, from ``<config path>/<host>/hosts.toml``.

Format and lookup are containerd's (``docs/hosts.md``, ``core/remotes/docker/config/hosts.go``): the directory is
``<host>_<port>_``, ``<host>`` or ``_default``; a directory without ``hosts.toml`` may hold Docker's certificate files.
One thing differs on purpose: a file that cannot be read is an error that names file and line. Going on without it would
reach another server, perhaps without TLS, than the one that the operator wrote down.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from moorage_sdk import errors
from moorage_sdk.references import DEFAULT_HOST, hostname
from moorage_transfer_local import hostfiles

CAPABILITIES = frozenset({"pull", "resolve", "push", "referrers"})
HUB = "registry-1.docker.io"
"""The server behind the name docker.io."""


@dataclass(frozen=True)
class Security:
    """TLS as configured: files of roots, pairs of client certificate and key (empty key: the same file)."""

    roots: tuple[Path, ...] = ()
    pairs: tuple[tuple[Path, Path | None], ...] = ()
    skip_verify: bool | None = None

    @property
    def configured(self) -> bool:
        return bool(self.roots or self.pairs or self.skip_verify is not None)


@dataclass(frozen=True)
class Endpoint:
    """One server to ask. ``fallback``: try https first and plain http when the server does not speak TLS.

    ``dial_timeout`` in seconds. ``headers`` belong to this server alone and are dropped by a redirect to another one.
    """

    scheme: str
    host: str
    path: str = "/v2"
    capabilities: frozenset[str] = CAPABILITIES
    security: Security = Security()
    headers: Mapping[str, str] = field(default_factory=dict)
    dial_timeout: float = 30.0
    fallback: bool = False

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}{self.path}"


def endpoints(host: str, config_path: str = "", default_scheme: str = "") -> tuple[Endpoint, ...]:
    """The servers for a registry name, in the order to try them. ``config_path`` may be several, joined by colons.

    Raises errors.FailedPrecondition for a configuration that is broken, with file and line.
    """
    directory = _directory(host, config_path)
    entries = hostfiles.load(directory) if directory else (hostfiles.Entry(),)
    found = [_endpoint(entry) for entry in entries if entry.server]
    if entries and not entries[-1].server:
        found.append(_implied(host, default_scheme, entries[-1]))
    return tuple(found)


def is_loopback(host: str) -> bool:
    """Whether ``host[:port]`` is this machine (``MatchLocalhost`` in containerd)."""
    name = hostname(host)
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _directory(host: str, config_path: str) -> Path | None:
    for root in filter(None, config_path.split(":")):
        for name in _names(host):
            candidate = Path(root) / name
            if candidate.is_dir():
                return candidate
    return None


def _names(host: str) -> tuple[str, ...]:
    name, colon, port = host.rpartition(":")
    if colon and port.isdigit():
        return f"{name}_{port}_", host, "_default"
    return host, "_default"


def _endpoint(entry: hostfiles.Entry) -> Endpoint:
    return _settled(entry, entry.scheme, entry.server, entry.path)


def _implied(host: str, default_scheme: str, entry: hostfiles.Entry) -> Endpoint:
    """The registry itself, when no file names another server for it.

    The defaults of path and capabilities hold then, too, whatever the file says beside (as in containerd).
    """
    if host == DEFAULT_HOST:
        return _settled(entry, "https", HUB, "/v2", plain=True)
    if default_scheme or not is_loopback(host):
        return _settled(entry, default_scheme or "https", host, "/v2", plain=True)
    port = host.rpartition(":")[2] if host.rpartition(":")[2].isdigit() else ""
    scheme = "https" if port in ("", "443") else "http"
    if port != "80" and entry.skip_verify is None:
        # A registry on loopback is reached without certificates that anybody trusts; nobody else hears the traffic.
        entry = entry.replaced(skip_verify=True)
    return _settled(entry, scheme, host, "/v2", plain=True)


def _settled(entry: hostfiles.Entry, scheme: str, host: str, path: str, plain: bool = False) -> Endpoint:
    if scheme not in ("http", "https"):
        raise errors.FailedPrecondition(f'registry host "{host}": scheme "{scheme}" is neither http nor https')
    security = Security(entry.roots, entry.pairs, entry.skip_verify)
    fallback = scheme == "http" and security.configured and not host.endswith(":80")
    return Endpoint(
        scheme="https" if fallback else scheme,
        host=host,
        path=path,
        capabilities=CAPABILITIES if plain else entry.capabilities or CAPABILITIES,
        security=security,
        headers=entry.headers,
        dial_timeout=entry.dial_timeout,
        fallback=fallback,
    )
