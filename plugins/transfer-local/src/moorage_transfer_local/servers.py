"""Servers: requests to one endpoint, which survive redirects, challenges and bad moments.

What a redirect loses is decided here and nowhere else: Authorization and the headers configured for a host go to that
host only, https never becomes http, and after ten redirects it is over.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

from moorage_sdk import errors
from moorage_sdk.transfers import Credentials
from moorage_transfer_local import hosts, retries
from moorage_transfer_local.credentials import Authorizer
from moorage_transfer_local.failures import Failed
from moorage_transfer_local.pools import elsewhere
from moorage_transfer_local.stops import Stop
from moorage_transfer_local.transports import Body, Response, Timeouts, Transport
from moorage_transfer_local.urls import is_web, origin, redacted

MAX_REDIRECTS = 10
REDIRECTS = frozenset({301, 302, 303, 307, 308})
"""Of requests that only read."""

SAME_METHOD = frozenset({307, 308})
"""Redirects of all others: behind 301 to 303 a client would have to read something else (RFC 9110, 15.4)."""

_log = logging.getLogger(__name__)


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
        self._lock = threading.Lock()
        self._ask = lambda realm: ask(endpoint.host, realm)
        self._authorizer = self._authorize(endpoint.url)
        stop.on_stop(self.abort)

    def request(
        self, method: str, target: str, scope: str, headers: Mapping[str, str], body: Body | None = None
    ) -> Response:
        """Send a request and give the answer that is not a redirect, a challenge or a passing weakness.

        ``target`` is a path below the endpoint, or a whole URL that the server itself gave (see ``leads``).
        Raises Failed, errors.Unauthenticated, errors.PermissionDenied, errors.Cancelled.
        """
        policy, attempt = self._settings.policy, 1
        while True:
            wait = ""
            try:
                response = self.attempt(method, target, scope, headers, body)
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

    def attempt(
        self, method: str, target: str, scope: str, headers: Mapping[str, str], body: Body | None = None
    ) -> Response:
        """As ``request``, but gives a passing weakness as it is: for who must look around before trying again."""
        if self.is_foreign(target):
            return self._followed(method, target, headers, "", body)
        used = self._authorizer.header(scope)
        response = self._followed(method, target, headers, used, body)
        if response.status != 401:
            return response
        response.close()
        if self.is_foreign(response.url):
            return response  # a stranger that wants credentials gets none
        return self._followed(method, target, headers, self._authorizer.challenged(response, scope, used), body)

    def is_foreign(self, target: str) -> bool:
        """Whether a path or URL is another server's, who sees neither credentials nor configured headers."""
        return not target.startswith("/") and origin(target) != origin(self._url)

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

    def _followed(
        self, method: str, target: str, headers: Mapping[str, str], authorization: str, body: Body | None
    ) -> Response:
        own = {**(self._settings.headers or {}), **self.endpoint.headers}
        if authorization:
            own["Authorization"] = authorization
        followed = REDIRECTS if method in ("GET", "HEAD") else SAME_METHOD
        response = self._first(method, target, own, headers, body)
        for _ in range(MAX_REDIRECTS):
            if response.status not in followed or "Location" not in response.headers:
                return response
            response.close()
            response = self._sent(method, leads(response), own, headers, body)
        response.close()
        raise errors.Unavailable(f'"{redacted(response.url)}": more than {MAX_REDIRECTS} redirects')

    def _first(
        self, method: str, target: str, own: Mapping[str, str], headers: Mapping[str, str], body: Body | None
    ) -> Response:
        if not target.startswith("/"):
            return self._sent(method, target, own, headers, body)
        url = self._url
        try:
            return self._sent(method, url + target, own, headers, body)
        except Failed as error:
            if not (error.plaintext and self._falls_back(url)):
                raise
        return self._sent(method, self._url + target, own, headers, body)

    def _falls_back(self, url: str) -> bool:
        """Whether to go on without TLS, be it that another thread has found out meanwhile that ``url`` has none.

        Only where plain http was configured or the registry is on loopback, see hosts.Endpoint.fallback.
        """
        with self._lock:
            if self._fallback:
                self._url = self._url.replace("https://", "http://", 1)
                self._fallback = False
                self._authorizer = self._authorize(self._url)
            return self._url != url

    def _sent(
        self, method: str, url: str, own: Mapping[str, str], headers: Mapping[str, str], body: Body | None
    ) -> Response:
        if self.is_foreign(url):
            return self._others.send(method, url, headers, body)
        return self._own.send(method, url, {**own, **headers}, body)

    def _send_unredirected(self, method: str, url: str, headers: Mapping[str, str], body: Body | None) -> Response:
        """To a token server: the registry's own TLS policy when it is the registry, else the common one."""
        transport = self._own if origin(url)[1] == origin(self._url)[1] else self._others
        return transport.send(method, url, headers, body)


def leads(response: Response) -> str:
    """Where the Location of an answer leads. Raises errors.Unavailable for what is no web, or no longer encrypted."""
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
