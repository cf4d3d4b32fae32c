from typing import Any

import pytest

from moorage_cli.verbs import pull
from moorage_sdk.transfers import Credentials


def test_a_daemon_without_the_service(cli: Any) -> None:
    result = cli("pull", "nothing")
    if "not offered" not in result.err:
        pytest.skip("this containerd can transfer")
    assert result.code == 1
    assert "hint: pulling and pushing need mooraged, or containerd 1.7 or later" in result.err


@pytest.mark.parametrize("name", ["UPPER", "a b", ""])
def test_what_is_no_reference(cli: Any, name: str) -> None:
    result = cli("pull", name)
    assert result.code == 1
    assert "invalid" in result.err


def test_platforms_that_are_none(cli: Any) -> None:
    assert cli("pull", "--platform", "a/b/c/d", "x").code == 1


def test_credentials_as_typed() -> None:
    assert pull.Typed("u:p:q")("h", "r", "") == Credentials("u", "p:q")
    assert pull.Typed("u:")("h", "r", "") == Credentials("u", "")


def test_a_password_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def prompt(text: str, **options: Any) -> str:
        assert options["hide_input"]
        asked.append(text)
        return "p"

    monkeypatch.setattr("click.prompt", prompt)
    authority = pull.Typed("u")
    assert [authority("h", "r", ""), authority("h", "r", "")] == [Credentials("u", "p")] * 2
    assert asked == ["Password of u at h"]
