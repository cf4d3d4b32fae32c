"""Registries: one repository at its registry and mirrors.

Paths and headers are those of the OCI distribution specification.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar
from urllib.parse import quote

from moorage_sdk import digests, errors
from moorage_sdk.descriptors import DOCKER_INDEX, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Descriptor
from moorage_sdk.references import DEFAULT_HOST, Reference
from moorage_sdk.transfers import Credentials
from moorage_transfer_local import hosts
from moorage_transfer_local.refusals import refusal
from moorage_transfer_local.servers import Server, Settings
from moorage_transfer_local.stops import Stop
from moorage_transfer_local.transports import Response

MAX_MANIFEST = 4 * 1048 * 1048
"""Bytes of a manifest or index (``MaxManifestSize`` in containerd's ``core/remotes/docker/resolver.go``, sic)."""

ACCEPT = f"{DOCKER_MANIFEST}, {DOCKER_INDEX}, {OCI_MANIFEST}, {OCI_INDEX}, */*"

_log = logging.getLogger(__name__)

T = TypeVar("T")


class Repository:
    """One repository at its registry and mirrors."""

    def __init__(
        self,
        reference: Reference,
        endpoints: Sequence[hosts.Endpoint],
        ask: Callable[[str, str], Credentials | None],
        settings: Settings,
        stop: Stop,
    ) -> None:
        self.reference = reference
        self._scope = f"repository:{reference.repository}:pull"
        self._servers = [Server(endpoint, ask, settings, stop) for endpoint in endpoints]

    def resolve(self) -> Descriptor:
        """What the reference names now. Raises errors.NotFound and whatever the last server failed with."""
        need = {"pull"} if self.reference.digest else {"pull", "resolve"}
        return self._first_answer(need, self._resolve)

    def open(self, descriptor: Descriptor, manifest: bool, offset: int = 0, turn: int = 0) -> Response:
        """The bytes of a manifest or blob from ``offset`` on, with status 200 (all of it) or 206 (from ``offset``).

        ``turn`` counts the bodies that were bad: each makes another server the first to be asked.
        Raises errors.NotFound and whatever the last server failed with.
        """
        kind = "manifests" if manifest else "blobs"
        path = f"/{self.reference.repository}/{kind}/{quote(digests.validate(descriptor.digest), safe=':')}"
        headers = {"Accept": f"{descriptor.media_type}, */*" if manifest else "*/*"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        return self._first_answer({"pull"}, lambda server: self._checked(server, "GET", path, headers), turn)

    def expire(self) -> None:
        """Drop connections on which an answer is overdue; called now and then by who waits for the pull."""
        for server in self._servers:
            server.expire()

    def close(self) -> None:
        for server in self._servers:
            server.close()

    def _first_answer(self, need: set[str], ask: Callable[[Server], T], turn: int = 0) -> T:
        """Ask mirrors and registry in turn; when all fail, the error that got furthest is the one to show."""
        failures: list[errors.Error] = []
        able = [server for server in self._servers if need <= server.endpoint.capabilities]
        for n in range(len(able)):
            server = able[(n + turn) % len(able)]
            try:
                return ask(server)
            except errors.Cancelled:
                raise
            except errors.Error as error:
                _log.info("%s", error)
                failures.append(error)
        if not failures:
            raise errors.NotFound(
                f'image "{self.reference}": no host is configured that may {" and ".join(sorted(need))}'
            )
        raise max(failures, key=_weight)

    def _resolve(self, server: Server) -> Descriptor:
        path = f"/{self.reference.repository}/manifests/{quote(self.reference.object, safe=':')}"
        with self._checked(server, "HEAD", path, {"Accept": ACCEPT}) as response:
            digest = self.reference.digest or response.headers.get("Docker-Content-Digest", "")
            if digest and response.length is not None and _media_type(response):
                return Descriptor(_media_type(response), digests.validate(digest), response.length)
        with self._checked(server, "GET", path, {"Accept": ACCEPT}) as response:
            body = response.body(MAX_MANIFEST)
            # Some registries send no digest: the bytes are the only truth then. They are fetched again under it.
            digest = self.reference.digest or digests.of(body)
            return Descriptor(_media_type(response), digest, len(body))

    def _checked(self, server: Server, method: str, path: str, headers: Mapping[str, str]) -> Response:
        response = server.request(method, addressed(path, server.endpoint, self.reference.host), self._scope, headers)
        if response.status in (200, 206):
            return response
        with response:
            raise refusal(response, f'image "{self.reference}"')


def addressed(path: str, endpoint: hosts.Endpoint, host: str) -> str:
    """``path``, or a URL, with the parameter that tells a mirror which registry is meant (docs/hosts.md)."""
    if host in (endpoint.host, DEFAULT_HOST if endpoint.host == hosts.HUB else endpoint.host):
        return path
    return f"{path}{'&' if '?' in path else '?'}ns={quote(host, safe=':')}"


def _weight(error: errors.Error) -> int:
    """How much an error says: a refusal more than an absence, an absence more than a silent server."""
    if isinstance(error, errors.Unavailable):
        return 0
    return 1 if isinstance(error, errors.NotFound) else 2


def _media_type(response: Response) -> str:
    return response.headers.get("Content-Type", "").partition(";")[0].strip()
