import os

import pytest

from moorage_sys import kernels


@pytest.mark.parametrize(
    ("release", "wanted"),
    [
        ("6.1.0-13-amd64", (6, 1)),
        ("6.11-amd64", (6, 11)),
        ("6.15-rc3-amd64", (6, 15)),
        ("6.18.5", (6, 18)),
        ("5.10+", (5, 10)),
        ("strange", (0, 0)),
    ],
)
def test_what_stands_behind_the_numbers_does_not_matter(
    monkeypatch: pytest.MonkeyPatch, release: str, wanted: tuple[int, int]
) -> None:
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "host", release, "", "x86_64")))
    assert kernels.version() == wanted


def test_this_kernel() -> None:
    assert kernels.version() > (5, 0)
