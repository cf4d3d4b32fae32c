"""Servers: requests to one endpoint, which survive redirects, challenges and bad moments.

What a redirect loses is decided here and nowhere else: Authorization and the headers configured for a host go to that
host only, https never becomes http, and after ten redirects it is over.
"""

from __future__ import annotations

import logging
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
from moorage_transfer_local.transports import Response, Timeouts, Transport
from moorage_transfer_local.urls import is_web, origin, redacted

MAX_REDIRECTS = 10
REDIRECTS = frozenset({301, 302, 303, 307, 308})

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
