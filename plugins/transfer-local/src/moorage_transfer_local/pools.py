"""Pools: urllib3's connections, made so that somebody knows of each of them."""

from __future__ import annotations

import ssl
import threading
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from moorage_sdk import errors
from moorage_transfer_local import proxies
from moorage_transfer_local.hosts import Security

if TYPE_CHECKING:
    import urllib3
    from urllib3.connection import HTTPConnection


class Watcher(Protocol):
    """Is told of connections by the thread that uses them."""

    def opened(self, connection: HTTPConnection) -> None:
        """A connection stands. Raising OSError breaks it off."""

    def sends(self, connection: HTTPConnection) -> None:
        """A piece of a request is about to be sent, perhaps on a connection that does not stand yet."""

    def waits(self, connection: HTTPConnection) -> AbstractContextManager[None]:
        """The head of an answer is awaited for the length of the block."""


def elsewhere(security: Security) -> Security:
    """What of a registry's TLS policy holds for other servers: its roots, never its key or its trust in anybody."""
    return replace(security, pairs=(), skip_verify=None)


class Pools:
    """Pools of connections under one TLS policy, straight ones and some for each proxy."""

    def __init__(self, security: Security, watcher: Watcher) -> None:
        self._security = security
        self._classes = _classes(watcher, bool(security.skip_verify))
        self._managers: dict[tuple[str, bool], urllib3.PoolManager] = {}
        self._guard = threading.Lock()

    def to(self, url: str) -> urllib3.PoolManager:
        """The pools for a URL. Raises errors.FailedPrecondition for certificates or a proxy that cannot be used."""
        proxy = proxies.of(url)
        key = proxy, urlsplit(url).scheme == "https"
        with self._guard:
            if key not in self._managers:
                self._managers[key] = self._manager(*key)
            return self._managers[key]

    def clear(self) -> None:
        with self._guard:
            for manager in self._managers.values():
                manager.clear()

    @cached_property
    def _context(self) -> ssl.SSLContext:
        return _context(self._security)

    def _manager(self, proxy: str, secure: bool) -> urllib3.PoolManager:
        import urllib3  # late: see the package

        # Eight of each: a pull has a few connections at once to the registry and to where it redirects.
        settings: dict[str, Any] = {"num_pools": 8, "maxsize": 8}
        if secure:
            settings["ssl_context"] = self._context  # it reads all roots, which takes longer than a request
        if proxy:
            settings |= {"proxy_headers": proxies.headers(proxy), "proxy_ssl_context": ssl.create_default_context()}
            manager: urllib3.PoolManager = urllib3.ProxyManager(proxy, **settings)
        else:
            manager = urllib3.PoolManager(**settings)
        manager.pool_classes_by_scheme = self._classes
        return manager


def _classes(watcher: Watcher, trusting: bool) -> dict[str, Any]:
    """Classes of pools whose connections announce themselves to ``watcher``."""

    from urllib3.connection import HTTPConnection, HTTPSConnection  # late: see the package
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

    class Plain(HTTPConnection):
        def connect(self) -> None:
            super().connect()
            watcher.opened(self)

        def send(self, data: Any) -> None:
            watcher.sends(self)
            super().send(data)

        def getresponse(self) -> urllib3.response.HTTPResponse:  # type: ignore[override]  # as urllib3 itself has it
            with watcher.waits(self):
                return super().getresponse()

    class Secure(HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            # Otherwise urllib3 warns at every request; that this server needs no proof is the operator's decision.
            self.is_verified = self.is_verified or trusting
            watcher.opened(self)

        def send(self, data: Any) -> None:
            watcher.sends(self)
            super().send(data)

        def getresponse(self) -> urllib3.response.HTTPResponse:  # type: ignore[override]  # as urllib3 itself has it
            with watcher.waits(self):
                return super().getresponse()

    plain = type("PlainPool", (HTTPConnectionPool,), {"ConnectionCls": Plain})
    secure = type("SecurePool", (HTTPSConnectionPool,), {"ConnectionCls": Secure})
    return {"http": plain, "https": secure}


def _context(security: Security) -> ssl.SSLContext:
    context = ssl.create_default_context()
    try:
        for file in security.roots:
            context.load_verify_locations(cafile=file)
        for certificate, key in security.pairs:
            context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise errors.FailedPrecondition(f"registry certificates: cannot be loaded: {error}") from error
    if security.skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
