import pytest

from moorage_client import references
from moorage_sdk import errors

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
        ("quay.io/a/b/c:1", "quay.io/a/b/c:1"),
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
        "",
        "a" * 64,
        "Alpine",
        "alpine:",
        "alpine:-x",
        "a//b",
        "/a",
        "a/",
        "a___b",
        "alpine@sha256:abc",
        "alpine@",
        "-a.b/c",
        "a b",
        "alpine:" + "x" * 129,
        "x.y/" + "a" * 252,
        "alpine\n",
    ],
)
def test_what_is_no_reference(typed: str) -> None:
    with pytest.raises(errors.InvalidArgument):
        references.normalize(typed)


def test_upper_case_gets_a_hint() -> None:
    with pytest.raises(errors.InvalidArgument) as caught:
        references.parse("docker.io/Alpine")
    assert "lower case" in caught.value.hint


def test_familiar_names() -> None:
    assert references.familiar("docker.io/library/alpine:3") == "alpine:3"
    assert references.familiar("docker.io/user/app:1") == "user/app:1"
    assert references.familiar("quay.io/a/b:1") == "quay.io/a/b:1"
    assert references.familiar("no reference at all") == "no reference at all"
