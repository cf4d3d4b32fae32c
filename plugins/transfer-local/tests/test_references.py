"""References: the grammar that every client shares."""

from __future__ import annotations

import pytest

from moorage_sdk import errors
from moorage_transfer_local import references
from moorage_transfer_local.references import Reference

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("busybox:1.36", "docker.io/library/busybox:1.36"),
        ("user/app", "docker.io/user/app:latest"),
        ("index.docker.io/user/app", "docker.io/user/app:latest"),
        ("docker.io/library/busybox:1", "docker.io/library/busybox:1"),
        ("localhost/app", "localhost/app:latest"),
        ("localhost:5000/app", "localhost:5000/app:latest"),
        ("quay.io/a/b/c_d__e-f.g:T-1.x_y", "quay.io/a/b/c_d__e-f.g:T-1.x_y"),
        ("[::1]:5000/app:x", "[::1]:5000/app:x"),
        ("Upper/app", "Upper/app:latest"),
        ("a.io/b:", "a.io/b:latest"),
        (f"a.io/b@{DIGEST}", f"a.io/b@{DIGEST}"),
        (f"a.io/b:c@{DIGEST}", f"a.io/b:c@{DIGEST}"),
    ],
)
def test_references_are_completed(text: str, expected: str) -> None:
    assert str(references.parse(text)) == expected
    assert references.parse(expected) == references.parse(text)


def test_a_digest_decides() -> None:
    assert references.parse(f"a.io/b:c@{DIGEST}").object == DIGEST
    assert Reference("a.io", "b", "c").object == "c"


@pytest.mark.parametrize(
    "text",
    [
        *("", "/", "a.io/", "a.io/B", "a.io/a//b", "a.io/../etc", "a.io/a b", "a.io/a\n", "a.io/-a", "a..b/c"),
        *("a.io/b:.x", "a.io/b:" + "t" * 129, "a.io/b@sha256:short", "a.io/b@foo:" + "a" * 64),
        *("a.io:port/b", "user@a.io/b", "https://a.io/b", "a.io/" + "b" * 260, "a.io/b?x=y", "a.io/ä"),
    ],
)
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(errors.InvalidArgument):
        references.parse(text)


@pytest.mark.parametrize(("host", "name"), [("a.io:5000", "a.io"), ("[::1]:80", "::1"), ("a.io", "a.io")])
def test_hostname_is_without_port(host: str, name: str) -> None:
    assert references.hostname(host) == name
