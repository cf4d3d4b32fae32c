import pytest

from moorage_sdk import errors, identifiers


@pytest.mark.parametrize("value", ["default", "a", "k8s.io", "A-b_c.d", "0", "x" * 76])
def test_accepts(value: str) -> None:
    assert identifiers.validate(value) == value


@pytest.mark.parametrize("value", [".a", "a.", "a..b", "a--b", "a/b", "..", "a b", "é", "a\n", "a\0", "-a"])
def test_refuses_other_characters(value: str) -> None:
    with pytest.raises(errors.InvalidArgument, match=r"namespace .* must match"):
        identifiers.validate(value, "namespace")


def test_refuses_empty_and_too_long() -> None:
    with pytest.raises(errors.InvalidArgument, match="container id must not be empty"):
        identifiers.validate("", "container id")
    with pytest.raises(errors.InvalidArgument, match="greater than maximum length"):
        identifiers.validate("x" * 77)
    with pytest.raises(errors.InvalidArgument, match="greater than maximum length"):
        identifiers.validate("é" * 39)


@pytest.mark.parametrize(
    ("value", "shown"), [("a/b", '"a/b"'), ("a\x00b", '"a\\x00b"'), ('a"b', '"a\\"b"'), ("é", '"é"')]
)
def test_errors_quote_what_was_wrong(value: str, shown: str) -> None:
    with pytest.raises(errors.InvalidArgument) as caught:
        identifiers.validate(value)
    assert str(caught.value).startswith(f"identifier {shown} must match ^")
