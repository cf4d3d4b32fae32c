import base64
import json
import shutil
from pathlib import Path

import pytest

from moorage_testkit.tokens import TokenServer

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
SCOPE = "/token?service=registry&scope=repository%3Aa%2Fb%3Apull,push"


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_a_token_grants_what_was_asked_for(tmp_path: Path) -> None:
    server = TokenServer(tmp_path, "http://realm/token", {"me": "pw"})
    status, body = server.answer(SCOPE, basic("me", "pw"))
    answer = json.loads(body)
    claims = json.loads(base64.urlsafe_b64decode(answer["token"].split(".")[1] + "=="))
    assert (status, answer["expires_in"]) == (200, 300)
    assert claims["access"] == [{"type": "repository", "name": "a/b", "actions": ["pull", "push"]}]
    assert (server.given, server.asked) == ([answer["token"]], [SCOPE])


@pytest.mark.parametrize("header", ["", basic("me", "no"), basic("you", "pw"), "Bearer x"])
def test_strangers_get_none(tmp_path: Path, header: str) -> None:
    assert TokenServer(tmp_path, "http://realm/token", {"me": "pw"}).answer(SCOPE, header)[0] == 401


def test_without_users_everybody_gets_one(tmp_path: Path) -> None:
    assert TokenServer(tmp_path, "http://realm/token").answer(SCOPE, "")[0] == 200


def test_the_registry_is_told_whom_to_believe(tmp_path: Path) -> None:
    config = TokenServer(tmp_path, "http://realm/token").registry_config()
    assert config["realm"] == "http://realm/token"
    assert Path(config["rootcertbundle"]).is_file()
