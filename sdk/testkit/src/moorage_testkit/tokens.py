"""Token servers: the realm of a registry with bearer authentication, for tests.

Protocol and token format: ``distribution.github.io/distribution/spec/auth/{token,jwt}``.
"""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from moorage_testkit import certificates

ISSUER = "moorage-testkit"
SERVICE = "registry"


@dataclass
class TokenServer:
    """Gives tokens at ``realm`` to everybody who knows a password of ``users``; without users, to everybody.

    ``lifetime`` in seconds is told to the client; ``given`` are the tokens, oldest first. ``expire`` makes the registry
    refuse what was given before, by their time.
    """

    directory: Path
    realm: str
    users: Mapping[str, str] = field(default_factory=dict)
    lifetime: int = 300
    given: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._certificate = certificates.make(self.directory, "tokens")

    def registry_config(self) -> dict[str, str]:
        """The registry's ``auth.token`` section."""
        bundle = str(self._certificate.certificate)
        return {"realm": self.realm, "service": SERVICE, "issuer": ISSUER, "rootcertbundle": bundle}

    def answer(self, target: str, authorization: str) -> tuple[int, bytes]:
        """Status and body for ``GET <target>``."""
        self.asked.append(target)
        if self.users and not self._knows(authorization):
            return 401, b'{"details":"wrong password"}'
        scopes = parse_qs(urlsplit(target).query).get("scope", [])
        token = self._token([self._access(scope) for scope in scopes])
        self.given.append(token)
        return 200, json.dumps({"token": token, "expires_in": self.lifetime}).encode()

    def _knows(self, authorization: str) -> bool:
        kind, _, value = authorization.partition(" ")
        user, _, password = base64.b64decode(value).decode().partition(":") if kind == "Basic" else ("", "", "")
        return bool(user) and self.users.get(user) == password

    def _access(self, scope: str) -> dict[str, object]:
        kind, name, actions = scope.split(":")
        return {"type": kind, "name": name, "actions": actions.split(",")}

    def _token(self, access: list[dict[str, object]]) -> str:
        now = int(time.time())
        chain = [base64.b64encode(certificates.der(self._certificate.certificate)).decode()]
        head = {"typ": "JWT", "alg": "RS256", "x5c": chain}
        body = {
            "iss": ISSUER,
            "sub": "",
            "aud": SERVICE,
            "jti": secrets.token_hex(8),
            "nbf": now - 10,
            "iat": now,
            "exp": now + 300,
            "access": access,
        }
        signed = f"{_encoded(json.dumps(head).encode())}.{_encoded(json.dumps(body).encode())}"
        return f"{signed}.{_encoded(certificates.sign(self._certificate.key, signed.encode()))}"


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
