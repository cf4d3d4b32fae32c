"""Registries: requests to the servers of one repository, which survive redirects, challenges, bad moments and mirrors.

Paths and headers are those of the OCI distribution specification. What a redirect loses is decided here and nowhere
else: Authorization and the headers configured for a host go to that host only, https never becomes http, and after ten
redirects it is over.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import quote, urljoin, urlsplit

from moorage_sdk import digests, errors
from moorage_sdk.descriptors import DOCKER_INDEX, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Descriptor
from moorage_sdk.transfers import Credentials
from moorage_transfer_local import hosts, retries
from moorage_transfer_local.credentials import Authorizer
from moorage_transfer_local.references import Reference
from moorage_transfer_local.stops import Stop
from moorage_transfer_local.transports import Failed, Response, Timeouts, Transport, elsewhere, is_web, origin, redacted

MAX_MANIFEST = 4 * 1048 * 1048
"""Bytes of a manifest or index (``MaxManifestSize`` in containerd's ``core/remotes/docker/resolver.go``, sic)."""

MAX_REDIRECTS = 10
REDIRECTS = frozenset({301, 302, 303, 307, 308})
ACCEPT = f"{DOCKER_MANIFEST}, {DOCKER_INDEX}, {OCI_MANIFEST}, {OCI_INDEX}, */*"

_log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True)
class Settings:
    """How to talk to registries, whichever. ``token_realms``: see ``credentials.trusts``; ``headers`` go to all servers
    of the repository, and like all of its headers to no other."""

    timeouts: Timeouts = field(default_factory=Timeouts)
    policy: retries.Policy = field(default_factory=retries.Policy)
    token_realms: Sequence[str] = ()
    headers: Mapping[str, str] | None = None
    agent: str = "moorage"


class Server:
    """One endpoint with its connections and credentials."""

    def __init__(
        self, endpoint: hosts.Endpoint, ask: Callable[[str, str], Credentials | None], settings: Settings, stop: Stop
    ) -> None:
        timeouts = Timeouts(endpoint.dial_timeout, settings.timeouts.progress)
        self.endpoint = endpoint
        self._settings = settings
        self._stop = stop
        self._own = Transport(endpoint.security, timeouts, settings.agent)
        self._others = Transport(elsewhere(endpoint.security), timeouts, settings.agent)
        self._url = endpoint.url
        self._fallback = endpoint.fallback
        self._ask = lambda realm: ask(endpoint.host, realm)
        self._authorizer = self._authorize(endpoint.url)
        stop.on_stop(self.abort)

    def request(self, method: str, path: str, scope: str, headers: Mapping[str, str]) -> Response:
        """Send a request and give the answer that is not a redirect, a challenge or a passing weakness.

        Raises Failed, errors.Unauthenticated, errors.PermissionDenied, errors.Cancelled.
        """
        policy, attempt = self._settings.policy, 1
        while True:
            wait = ""
            try:
                response = self._authorized(method, path, scope, headers)
                if response.status not in retries.STATUSES or attempt >= policy.attempts:
                    return response
                wait = response.headers.get("Retry-After", "")
                _log.info("%s %s: %d, retrying", method, redacted(response.url), response.status)
                response.close()
            except Failed as error:
                self._stop.check()
                if attempt >= policy.attempts:
                    raise
                _log.info("%s, retrying", error)
            self._stop.wait(policy.delay(attempt, wait))
            attempt += 1

    def abort(self) -> None:
        self._own.abort()
        self._others.abort()

    def expire(self) -> None:
        self._own.expire()
        self._others.expire()

    def close(self) -> None:
        self._own.close()
        self._others.close()

    def _authorize(self, url: str) -> Authorizer:
        return Authorizer(url, self._ask, self._send_unredirected, self._settings.token_realms)

    def _authorized(self, method: str, path: str, scope: str, headers: Mapping[str, str]) -> Response:
        used = self._authorizer.header(scope)
        response = self._followed(method, path, headers, used)
        if response.status != 401:
            return response
        response.close()
        if origin(response.url) != origin(self._url):
            return response  # a stranger that wants credentials gets none
        return self._followed(method, path, headers, self._authorizer.challenged(response, scope, used))

    def _followed(self, method: str, path: str, headers: Mapping[str, str], authorization: str) -> Response:
        own = {**(self._settings.headers or {}), **self.endpoint.headers}
        if authorization:
            own["Authorization"] = authorization
        response = self._first(method, path, {**own, **headers})
        for _ in range(MAX_REDIRECTS):
            if response.status not in REDIRECTS or "Location" not in response.headers:
                return response
            response.close()
            target = _target(response)
            home = origin(target) == origin(self._url)
            transport = self._own if home else self._others
            response = transport.send(method, target, {**own, **headers} if home else headers)
        response.close()
        raise errors.Unavailable(f'"{redacted(response.url)}": more than {MAX_REDIRECTS} redirects')

    def _first(self, method: str, path: str, headers: Mapping[str, str]) -> Response:
        try:
            return self._own.send(method, self._url + path, headers)
        except Failed as error:
            if not (error.plaintext and self._fallback):
                raise
        # Only reached where plain http was configured or the registry is on loopback, see hosts.Endpoint.fallback.
        self._url = self._url.replace("https://", "http://", 1)
        self._fallback = False
        self._authorizer = self._authorize(self._url)
        return self._own.send(method, self._url + path, headers)

    def _send_unredirected(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Response:
        """To a token server: the registry's own TLS policy when it is the registry, else the common one."""
        transport = self._own if origin(url)[1] == origin(self._url)[1] else self._others
        return transport.send(method, url, headers, body)


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
            # Some registries send no digest: the bytes are the only truth then, and a digest in the header must agree.
            digest = self.reference.digest or digests.of(body)
            return Descriptor(_media_type(response), digest, len(body))

    def _checked(self, server: Server, method: str, path: str, headers: Mapping[str, str]) -> Response:
        # The query parameter tells a mirror which registry is meant (docs/hosts.md).
        host = urlsplit(server.endpoint.url).netloc
        if self.reference.host not in (host, "docker.io" if host == hosts.HUB else host):
            path += f"?ns={quote(self.reference.host, safe=':')}"
        response = server.request(method, path, self._scope, headers)
        if response.status in (200, 206):
            return response
        with response:
            raise self._refused(response)

    def _refused(self, response: Response) -> errors.Error:
        subject = f'image "{self.reference}": "{redacted(response.url)}" answered {response.status}'
        if response.status == 404:
            return errors.NotFound(f'image "{self.reference}": not found', hint=f'at "{redacted(response.url)}"')
        if response.status == 416:
            return errors.OutOfRange(f"{subject}: out of range")
        if response.status in (401, 407):
            return errors.Unauthenticated(f"{subject}: authorization required")
        if response.status == 403:
            return errors.PermissionDenied(f"{subject}: permission denied")
        if response.status == 429:
            return errors.Unavailable(f"{subject}: too many requests", hint="wait, or log in for a higher limit")
        return errors.Unavailable(subject)


def _weight(error: errors.Error) -> int:
    """How much an error says: a refusal more than an absence, an absence more than a silent server."""
    if isinstance(error, errors.Unavailable):
        return 0
    return 1 if isinstance(error, errors.NotFound) else 2


def _media_type(response: Response) -> str:
    return response.headers.get("Content-Type", "").partition(";")[0].strip()


def _target(response: Response) -> str:
    location = response.headers["Location"]
    try:
        target = urljoin(response.url, location)
    except ValueError:
        target = ""
    if not is_web(target):
        kind = location.partition(":")[0][:20]
        raise errors.Unavailable(f'"{redacted(response.url)}": redirects to "{kind}:…", which is not followed')
    parts = urlsplit(target)
    if urlsplit(response.url).scheme == "https" and parts.scheme == "http":
        raise errors.Unavailable(f'"{redacted(response.url)}": redirects from https to http, which is not followed')
    return target
