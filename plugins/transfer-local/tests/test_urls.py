"""URLs for people and for comparing."""

from __future__ import annotations

import pytest

from moorage_transfer_local.urls import is_web, origin, redacted


def test_urls_for_people_have_no_secrets() -> None:
    assert redacted("https://u:p@a.io/b?sig=secret") == "https://a.io/b?…"
    assert redacted("https://a.io/b") == "https://a.io/b"
    assert redacted("http://u:p@[x") == "…"


def test_origins_compare() -> None:
    assert origin("https://A.io/x") == origin("https://a.io:443/y") != origin("http://a.io/x")


@pytest.mark.parametrize(
    ("url", "answer"), [("https://a.io", True), ("http://[::1]:5/x", True), ("a.io", False), ("http://[x", False)]
)
def test_web_addresses_are_recognised(url: str, answer: bool) -> None:
    assert is_web(url) is answer
