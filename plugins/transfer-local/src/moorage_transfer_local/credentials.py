"""Credentials: what a registry may be told, and the tokens it is told instead.

A registry answers 401 with a challenge. For ``Basic`` it gets user name and password, for ``Bearer`` a token from the
server that the challenge names (the realm). The realm comes from the wire, so a password goes there only when it
belongs to the registry (CVE-2026-33540, CVE-2026-48978): see ``trusts``. Token flow and answers:
``distribution.github.io/distribution/spec/auth/token``.
"""

from __future__ import annotations

import base64
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from moorage_sdk import errors
from moorage_sdk.transfers import Credentials
from moorage_transfer_local.challenges import Challenge, parse
from moorage_transfer_local.transports import Body, Response
from moorage_transfer_local.urls import is_web, origin, redacted

MAX_TOKEN_ANSWER = 1 << 20
DEFAULT_LIFETIME = 60.0
"""Seconds a token is good for when its server does not say (token specification, ``expires_in``)."""

SHARED_PARENTS = frozenset(
    {"azurecr.io", "amazonaws.com", "github.io", "run.app", "pkg.dev", "co.uk", "com.au", "co.jp", "com.br", "com.cn"}
)
"""Domains whose subdomains belong to strangers: a sibling there is nobody's relative."""

_log = logging.getLogger(__name__)

Send = Callable[[str, str, Mapping[str, str], Body | None], Response]
"""Method, URL, headers, body; follows no redirect."""


def trusts(registry: str, realm: str, allowed: Sequence[str] = ()) -> bool:
    """Whether secrets for the server at URL ``registry`` may go to ``realm``.

    Yes for the same server; for https on the standard port of the same host, a parent domain or a sibling domain
    (``auth.docker.io`` for ``registry-1.docker.io``, ``gitlab.com`` for ``registry.gitlab.com``); and for
    ``host[:port]`` that the operator lists. Never from https down to http.
    """
    if origin(registry) == origin(realm):
        return True
    there, here = urlsplit(realm), urlsplit(registry)
    if there.scheme != "https" and here.scheme == "https":
        return False
    if there.netloc in allowed:
        return True
    host, own = (there.hostname or "").lower(), (here.hostname or "").lower()
    return there.scheme == "https" and there.port in (None, 443) and _related(own, host)


def _related(own: str, host: str) -> bool:
    if own == host:
        return True
    parent, above = own.partition(".")[2], host.partition(".")[2]
    if "." not in parent or parent in SHARED_PARENTS or parent.replace(".", "").isdigit():
        return False
    return host == parent or above == parent


@dataclass(frozen=True)
class Token:
    header: str
    expires: float = float("inf")


class Authorizer:
    """The credentials of one pull for one server. Many threads ask at once; only one of them fetches a token."""

    def __init__(
        self,
        url: str,
        ask: Callable[[str], Credentials | None],
        send: Send,
        allowed: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``ask`` gets a realm and is called once at most; ``allowed`` are further token servers as ``host[:port]``."""
        self._url = url
        self._ask = ask
        self._send = send
        self._allowed = allowed
        self._clock = clock
        self._lock = threading.Lock()
        self._asked: list[Credentials | None] = []
        self._tokens: dict[str, Token] = {}
        self._challenges: list[Challenge] = []

    def header(self, scope: str) -> str:
        """The Authorization value for a request, "" while the server has not asked for one.

        ``scope`` is what the request needs, several joined by blanks as RFC 6749, 3.3 has it.
        """
        with self._lock:
            token = self._tokens.get(scope)
            if token is None:
                return ""
            if token.expires > self._clock():
                return token.header
            return self._renew(scope)

    def challenged(self, response: Response, scope: str, used: str) -> str:
        """What to send after a 401 to a request that carried ``used``.

        Raises errors.Unauthenticated when there is nothing better to send, errors.PermissionDenied for a realm that is
        not trusted.
        """
        with self._lock:
            token = self._tokens.get(scope)
            if token is not None and token.header != used and token.expires > self._clock():
                return token.header  # another thread was faster
            self._challenges = parse(response.headers.getlist("WWW-Authenticate"))
            fresh = self._renew(scope)
        if fresh == used or not fresh:
            raise _refused(self._url)
        return fresh

    def _renew(self, scope: str) -> str:
        schemes = {challenge.scheme: challenge for challenge in reversed(self._challenges)}
        if bearer := schemes.get("bearer"):
            token = self._bearer(bearer, scope)
        elif "basic" in schemes:
            token = self._basic()
        else:
            raise _refused(self._url)
        self._tokens[scope] = token
        return token.header

    def _credentials(self, realm: str) -> Credentials | None:
        if not self._asked:
            self._asked.append(self._ask(realm))
        return self._asked[0]

    def _basic(self) -> Token:
        given = self._credentials("")
        if given is None or not (given.header or given.username):
            raise _refused(self._url)
        return Token(given.header or _basic_value(given))

    def _bearer(self, challenge: Challenge, scope: str) -> Token:
        realm = challenge.parameters.get("realm", "")
        if not is_web(realm):
            raise errors.Unauthenticated(f'registry "{self._url}": names a token server without a valid URL')
        given = self._credentials(realm)
        if given is not None and given.header:
            return Token(given.header)
        if given is not None and given.secret and not trusts(self._url, realm, self._allowed):
            raise errors.PermissionDenied(
                f'registry "{self._url}": wants the password sent to "{redacted(realm)}", another owner\'s server: '
                "permission denied",
                hint=f'if that is right, list it: token_realms."{urlsplit(self._url).netloc}" = '
                f'["{urlsplit(realm).netloc}"]',
            )
        # The scope is ours and not the challenge's: a registry could ask for rights to somebody else's repository.
        return self._fetch(realm, challenge.parameters.get("service", ""), scope, given)

    def _fetch(self, realm: str, service: str, scope: str, given: Credentials | None) -> Token:
        query = [("service", service)] * bool(service) + [("scope", each) for each in scope.split(" ")]
        if given is not None and given.secret and not given.username:
            form = {"grant_type": "refresh_token", "refresh_token": given.secret, "client_id": "moorage"}
            body = urlencode({**form, "service": service, "scope": scope}).encode()
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            response = self._send("POST", realm, headers, Body.of(body))
        else:
            headers = {"Authorization": _basic_value(given)} if given is not None and given.secret else {}
            joint = "&" if urlsplit(realm).query else "?"
            response = self._send("GET", f"{realm}{joint}{urlencode(query)}", headers, None)
        with response:
            return self._read(realm, response)

    def _read(self, realm: str, response: Response) -> Token:
        if response.status in (401, 403):
            raise _refused(self._url)
        if response.status != 200:
            raise errors.Unavailable(f'token server "{redacted(realm)}": answered {response.status}')
        try:
            answer: Any = json.loads(response.body(MAX_TOKEN_ANSWER))
        except (ValueError, RecursionError) as error:
            raise errors.Unavailable(f'token server "{redacted(realm)}": answer is not JSON') from error
        answer = answer if isinstance(answer, dict) else {}
        value = answer.get("token") or answer.get("access_token")
        if not isinstance(value, str) or not value.isascii() or not value.isprintable():
            raise errors.Unauthenticated(f'token server "{redacted(realm)}": answered without a token')
        lifetime = answer.get("expires_in")
        usable = isinstance(lifetime, int | float) and not isinstance(lifetime, bool) and 0 < lifetime < 1e9
        # A tenth early, so that a token does not expire on its way.
        return Token(f"Bearer {value}", self._clock() + (lifetime if usable else DEFAULT_LIFETIME) * 0.9)


def _basic_value(given: Credentials) -> str:
    return "Basic " + base64.b64encode(f"{given.username}:{given.secret}".encode()).decode()


def _refused(url: str) -> errors.Unauthenticated:
    return errors.Unauthenticated(
        f'registry "{url}": access denied, repository does not exist or may require authorization',
        hint="check the name and log in",
    )
