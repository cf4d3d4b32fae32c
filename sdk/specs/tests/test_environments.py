import pytest

from moorage_sdk import errors
from moorage_specs import environments


def test_overrides_keep_the_place_and_bare_names_remove() -> None:
    assert environments.merged(["A=1", "B=2", "C=3"], ["B=x", "D=4", "A"]) == ("B=x", "C=3", "D=4")


def test_an_equals_sign_belongs_to_the_value() -> None:
    assert environments.merged(["A=1"], ["A=b=c"]) == ("A=b=c",)


def test_a_name_alone_takes_our_value_or_nothing() -> None:
    assert environments.given(["HOME", "NOPE", "A=", "B=2"], {"HOME": "/root"}) == ("HOME=/root", "A=", "B=2")


@pytest.mark.parametrize("entry", ["=x", "", "A=\0"])
def test_malformed(entry: str) -> None:
    with pytest.raises(errors.InvalidArgument):
        environments.given([entry], {})
