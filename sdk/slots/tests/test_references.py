"""References: the grammar that every client shares."""

from __future__ import annotations

import pytest

from moorage_sdk import errors, references
from moorage_sdk.references import Reference

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("alpine", "docker.io/library/alpine:latest"),
        ("alpine:3.20", "docker.io/library/alpine:3.20"),
        ("user/app", "docker.io/user/app:latest"),
        ("docker.io/alpine", "docker.io/library/alpine:latest"),
        ("index.docker.io/library/alpine", "docker.io/library/alpine:latest"),
        ("localhost/app", "localhost/app:latest"),
        ("localhost:5000/app", "localhost:5000/app:latest"),
        ("quay.io/a/b/c_d__e-f.g:T-1.x_y", "quay.io/a/b/c_d__e-f.g:T-1.x_y"),
        ("127.0.0.1:5000/a_b/c-d", "127.0.0.1:5000/a_b/c-d:latest"),
        ("[::1]:5000/app", "[::1]:5000/app:latest"),
        ("Registry/app", "Registry/app:latest"),
        (f"alpine@{DIGEST}", f"docker.io/library/alpine@{DIGEST}"),
        (f"alpine:3@{DIGEST}", f"docker.io/library/alpine:3@{DIGEST}"),
        ("a.b:80", "docker.io/library/a.b:80"),
    ],
)
def test_full_names(typed: str, stored: str) -> None:
    assert references.normalize(typed) == stored
    assert references.normalize(stored) == stored


@pytest.mark.parametrize(
    "typed",
    [
        *("", "/", "a" * 64, "Alpine", "a//b", "/a", "a/", "a___b", "a b", "-a.b/c", "alpine\n", "a..b/c"),
        *("alpine:", "alpine:-x", "alpine:" + "x" * 129, "a.io/b:.x"),
        *("alpine@", "alpine@sha256:abc", "a.io/b@foo:" + "a" * 64),
        *("a.io/B", "a.io/../etc", "a.io/a\n", "a.io/-a", "a.io/b?x=y", "a.io/ä", "x.y/" + "a" * 252),
        *("a.io:port/b", "a.io:123456/b", "user@a.io/b", "https://a.io/b"),
    ],
)
def test_what_is_no_reference(typed: str) -> None:
    with pytest.raises(errors.InvalidArgument):
        references.parse(typed)


def test_a_bare_name_stays_bare_until_it_is_made_full() -> None:
    assert references.parse("a.io/b") == Reference("a.io", "b")
    assert references.full("a.io/b") == Reference("a.io", "b", "latest")


def test_a_digest_decides() -> None:
    assert references.parse(f"a.io/b:c@{DIGEST}").object == DIGEST
    assert Reference("a.io", "b", "c").object == "c"


def test_nothing_is_called_empty() -> None:
    with pytest.raises(errors.InvalidArgument, match='"": is empty'):
        references.parse("")


def test_upper_case_gets_a_hint() -> None:
    with pytest.raises(errors.InvalidArgument) as caught:
        references.parse("docker.io/Alpine")
    assert "lower case" in caught.value.hint


def test_familiar_names() -> None:
    assert references.familiar("docker.io/library/alpine:3") == "alpine:3"
    assert references.familiar("docker.io/user/app:1") == "user/app:1"
    assert references.familiar("quay.io/a/b:1") == "quay.io/a/b:1"
    assert references.familiar("no reference at all") == "no reference at all"


@pytest.mark.parametrize(("host", "name"), [("a.io:5000", "a.io"), ("[::1]:80", "::1"), ("a.io", "a.io")])
def test_hostname_is_without_port(host: str, name: str) -> None:
    assert references.hostname(host) == name
