from typing import Any

import click
import pytest

from moorage_cli import registries
from moorage_sdk.transfers import Credentials, Registry


@pytest.mark.parametrize(
    ("words", "path", "scheme"),
    [((), "", ""), (("--plain-http",), "", "http"), (("--hosts-dir", "/certs.d"), "/certs.d", "")],
)
def test_options_are_one_value(words: tuple[str, ...], path: str, scheme: str) -> None:
    seen: list[Any] = []

    @click.command()
    @registries.options
    @click.argument("image")
    def command(image: str, registry: Registry) -> None:
        seen.extend([image, registry])

    command.main([*words, "x"], standalone_mode=False)
    assert seen == ["x", Registry(path, scheme)]
    seen.clear()
    command.main(["-u", "me:pw", "x"], standalone_mode=False)
    assert seen[1].authority("h", "r", "") == Credentials("me", "pw")


def test_credentials_as_typed() -> None:
    assert registries.Typed("u:p:q")("h", "r", "") == Credentials("u", "p:q")
    assert registries.Typed("u:")("h", "r", "") == Credentials("u", "")


def test_a_password_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def prompt(text: str, **options: Any) -> str:
        assert options["hide_input"]
        asked.append(text)
        return "p"

    monkeypatch.setattr("click.prompt", prompt)
    authority = registries.Typed("u")
    assert [authority("h", "r", ""), authority("h", "r", "")] == [Credentials("u", "p")] * 2
    assert asked == ["Password of u at h"]
