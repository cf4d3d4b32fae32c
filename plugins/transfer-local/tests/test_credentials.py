"""Credentials: who is told what. The scripted server answers without a network."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from urllib3._collections import HTTPHeaderDict

from moorage_sdk import errors
from moorage_sdk.transfers import Credentials
from moorage_transfer_local.credentials import Authorizer, trusts
from moorage_transfer_local.transports import Body

REGISTRY = "https://registry.example.com/v2"
REALM = "https://auth.example.com/token"
BEARER = f'Bearer realm="{REALM}",service="reg"'
USER = Credentials("me", "pw")


class Answer:
    """As much of a Response as an authorizer looks at."""

    def __init__(self, status: int = 401, challenge: str = "", body: object = None) -> None:
        self.status = status
        self.headers = HTTPHeaderDict({"WWW-Authenticate": challenge} if challenge else {})
        self._body = body if isinstance(body, bytes) else json.dumps(body).encode()

    def body(self, limit: int) -> bytes:
        if len(self._body) > limit:
            raise errors.ResourceExhausted("larger")
        return self._body

    def __enter__(self) -> Answer:
        return self

    def __exit__(self, *_: object) -> None:
        return


class Server:
    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[str, str, Mapping[str, str], Body | None]] = []

    def __call__(self, method: str, url: str, headers: Mapping[str, str], body: Body | None) -> Any:
        self.requests.append((method, url, headers, body))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def authorizer(server: Server, given: Credentials | None = USER, **more: Any) -> Authorizer:
    return Authorizer(more.pop("url", REGISTRY), lambda realm: given, server, **more)


def challenged(auth: Authorizer, challenge: str, used: str = "", scope: str = "s") -> str:
    return auth.challenged(Answer(challenge=challenge), scope, used)  # type: ignore[arg-type]


def token(value: str = "t", **more: object) -> Answer:
    return Answer(200, body={"token": value, **more})


def test_nothing_is_sent_before_it_is_asked_for() -> None:
    assert authorizer(Server(token())).header("s") == ""


def test_basic_is_user_and_password_from_then_on() -> None:
    auth = authorizer(Server(token()))
    assert challenged(auth, 'Basic realm="x"') == "Basic bWU6cHc=" == auth.header("s")


def test_a_token_is_asked_for_the_scope_that_is_needed_and_no_other() -> None:
    server = Server(token("abc"))
    auth = authorizer(server)
    greedy = BEARER + ',scope="repository:other:push"'
    assert challenged(auth, greedy, scope="repository:mine:pull") == "Bearer abc"
    [(method, url, headers, _)] = server.requests
    assert (method, url) == ("GET", f"{REALM}?service=reg&scope=repository%3Amine%3Apull")
    assert headers["Authorization"] == "Basic bWU6cHc="


def test_bearer_is_preferred_to_basic() -> None:
    assert challenged(authorizer(Server(token())), f'Basic realm="x", {BEARER}') == "Bearer t"


def test_without_credentials_the_token_is_anonymous() -> None:
    server = Server(token())
    assert challenged(authorizer(server, None), 'Bearer realm="https://any.where/t"') == "Bearer t"
    assert "Authorization" not in server.requests[0][2]


def test_a_refresh_token_is_posted() -> None:
    server = Server(Answer(200, body={"access_token": "t"}))
    assert challenged(authorizer(server, Credentials(secret="refresh")), BEARER) == "Bearer t"
    method, url, _, body = server.requests[0]
    assert (method, url) == ("POST", REALM)
    assert body is not None
    sent = b"".join(body.open())
    assert b"grant_type=refresh_token" in sent
    assert b"refresh_token=refresh" in sent


def test_several_scopes_are_asked_for_at_once() -> None:
    both = "repository:mine:pull,push repository:other:pull"
    server = Server(token("abc"))
    assert challenged(authorizer(server), BEARER, scope=both) == "Bearer abc"
    [(_, url, _, _)] = server.requests
    assert parse_qs(urlsplit(url).query)["scope"] == both.split(" ")
    server = Server(Answer(200, body={"access_token": "t"}))
    assert challenged(authorizer(server, Credentials(secret="refresh")), BEARER, scope=both) == "Bearer t"
    [(_, _, _, body)] = server.requests
    assert body is not None
    assert parse_qs(b"".join(body.open()).decode())["scope"] == [both]


@pytest.mark.parametrize("challenge", ["Basic", BEARER])
def test_a_whole_header_is_used_as_it_is(challenge: str) -> None:
    assert challenged(authorizer(Server(token()), Credentials(header="Custom x")), challenge) == "Custom x"


def test_a_token_is_renewed_when_its_time_is_over() -> None:
    now = [0.0]
    server = Server(token("1", expires_in=100), token("2", expires_in=100))
    auth = authorizer(server, clock=lambda: now[0])
    challenged(auth, BEARER)
    now[0] = 80
    assert auth.header("s") == "Bearer 1"
    now[0] = 95
    assert auth.header("s") == "Bearer 2"


@pytest.mark.parametrize("lifetime", [None, -5, 0, "soon", 1e300, True])
def test_a_senseless_lifetime_is_a_minute(lifetime: object) -> None:
    now = [0.0]
    auth = authorizer(Server(token("1", expires_in=lifetime), token("2")), clock=lambda: now[0])
    challenged(auth, BEARER)
    now[0] = 50
    assert auth.header("s") == "Bearer 1"
    now[0] = 60
    assert auth.header("s") == "Bearer 2"


def test_many_threads_fetch_one_token() -> None:
    server, gate = Server(token()), threading.Barrier(8)
    auth = authorizer(server)

    def ask(_: int) -> str:
        gate.wait()
        return challenged(auth, BEARER)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(8))) == {"Bearer t"}
    assert len(server.requests) == 1


def test_a_second_challenge_to_the_same_answer_is_a_refusal() -> None:
    auth = authorizer(Server(token()))
    used = challenged(auth, 'Basic realm="x"')
    with pytest.raises(errors.Unauthenticated, match="access denied"):
        challenged(auth, 'Basic realm="x"', used)


@pytest.mark.parametrize("challenge", ["", "Digest x=y", "Negotiate"])
def test_what_is_not_understood_is_a_refusal(challenge: str) -> None:
    with pytest.raises(errors.Unauthenticated):
        challenged(authorizer(Server(token())), challenge)


@pytest.mark.parametrize("given", [None, Credentials(secret="refresh")])
def test_basic_without_a_name_is_a_refusal(given: Credentials | None) -> None:
    with pytest.raises(errors.Unauthenticated):
        challenged(authorizer(Server(token()), given), "Basic")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(401), errors.Unauthenticated),
        (Answer(500), errors.Unavailable),
        (Answer(302), errors.Unavailable),
        (Answer(200, body=b"<html>"), errors.Unavailable),
        (Answer(200, body=[1]), errors.Unauthenticated),
        (Answer(200, body={}), errors.Unauthenticated),
        (Answer(200, body={"token": 7}), errors.Unauthenticated),
        (Answer(200, body={"token": "a\r\nEvil: 1"}), errors.Unauthenticated),
        (Answer(200, body=b"[" * 100_000), errors.Unavailable),
        (Answer(200, body=b" " * (2 << 20)), errors.ResourceExhausted),
    ],
)
def test_a_bad_token_server_is_an_error(answer: Answer, kind: type[errors.Error]) -> None:
    with pytest.raises(kind):
        challenged(authorizer(Server(answer)), BEARER)


@pytest.mark.parametrize("realm", ["", "ftp://x/", "https://", "http://[bad", "//x/token"])
def test_a_realm_that_is_no_url_is_a_refusal(realm: str) -> None:
    with pytest.raises(errors.Unauthenticated, match="token server"):
        challenged(authorizer(Server(token())), f'Bearer realm="{realm}"')


def test_passwords_do_not_go_to_strangers_and_the_error_says_how_to_allow_it() -> None:
    server = Server(token())
    with pytest.raises(errors.PermissionDenied, match=r'token_realms\."registry\.example\.com" = \["evil\.io"\]'):
        challenged(authorizer(server), 'Bearer realm="https://evil.io/token"')
    assert server.requests == []
    challenged(authorizer(server, allowed=("evil.io",)), 'Bearer realm="https://evil.io/token"')
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("registry", "realm", "answer"),
    [
        ("https://r.io", "https://r.io/token", True),
        ("https://r.io", "https://r.io:443/token", True),
        ("https://registry-1.docker.io", "https://auth.docker.io/token", True),
        ("https://registry.gitlab.com", "https://gitlab.com/jwt/auth", True),
        ("https://gitlab.x.org:5050", "https://gitlab.x.org/jwt/auth", True),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000/token", True),
        ("http://r.io:5000", "https://r.io/token", True),
        ("https://r.io", "http://r.io/token", False),
        ("https://r.io", "https://r.io:8443/token", False),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5001/token", False),
        ("https://10.0.0.1", "https://10.0.0.2/token", False),
        ("https://r.io", "https://evil.io/token", False),
        ("https://r.io", "https://io/token", False),
        ("https://r.io", "https://r.io.evil.io/token", False),
        ("https://r.io", "https://evilr.io/token", False),
        ("https://mine.azurecr.io", "https://evil.azurecr.io/token", False),
        ("https://shop.co.uk", "https://evil.co.uk/token", False),
        ("https://r.io", "https://r.io@evil.io/token", False),
    ],
)
def test_trust(registry: str, realm: str, answer: bool) -> None:
    assert trusts(registry, realm) is answer


def test_listed_servers_are_trusted_but_never_in_the_clear() -> None:
    assert trusts("https://r.io", "https://other.io:8443/t", ("other.io:8443",))
    assert not trusts("https://r.io", "http://other.io/t", ("other.io",))
