from __future__ import annotations

import time

import pytest

from moorage_transfer_local.challenges import Challenge, parse


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Basic", [Challenge("basic")]),
        ('Basic realm="a, b=c"', [Challenge("basic", {"realm": "a, b=c"})]),
        (
            'Bearer realm="https://a/t",service=s,scope="r:x:pull"',
            [Challenge("bearer", {"realm": "https://a/t", "service": "s", "scope": "r:x:pull"})],
        ),
        ('BEARER Realm = "q\\"uoted"', [Challenge("bearer", {"realm": 'q"uoted'})]),
        (
            'Basic realm="x", Bearer realm="y"',
            [Challenge("basic", {"realm": "x"}), Challenge("bearer", {"realm": "y"})],
        ),
        ('Bearer realm="first",realm="second"', [Challenge("bearer", {"realm": "first"})]),
        ("", []),
        ("=,=", []),
    ],
)
def test_headers_are_understood(header: str, expected: list[Challenge]) -> None:
    assert parse([header]) == expected


def test_several_headers_are_several_challenges() -> None:
    assert [challenge.scheme for challenge in parse(["Basic", "Bearer"])] == ["basic", "bearer"]


@pytest.mark.parametrize("evil", ['Bearer realm="' + "\\" * 100_000, "a " * 100_000, "a=" * 100_000, '"' * 100_000])
def test_long_nonsense_takes_no_time(evil: str) -> None:
    began = time.monotonic()
    parse([evil])
    assert time.monotonic() - began < 5
