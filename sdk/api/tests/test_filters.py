"""Matching of filters, its quirks included (pkg/filters in containerd v2.3)."""

import logging
import subprocess
import sys
import time
from collections.abc import Sequence

import pytest

from moorage_api import filters
from moorage_sdk import errors

LABELS = {"foo": "bar", "a.b/c": "d", "empty": ""}


def web(path: Sequence[str]) -> tuple[str, bool]:
    match list(path):
        case ["name"]:
            return "web", True
        case ["labels", *rest]:
            return filters.in_map(LABELS, rest)
    return "", False


def selects(*strings: str) -> bool:
    return filters.parse(strings).match(web)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("name", True),
        ("missing", False),
        ("name==web", True),
        ("name==we", False),
        ("name!=web", False),
        ("name!=other", True),
        ("name~=^w", True),
        ("name~=e", True),
        ("name~=^e", False),
        ("name==web,labels.foo", True),
        ("name==web,labels.bar", False),
        ("labels.foo==bar", True),
        ('labels."a.b/c"==d', True),
        ('labels.a."b/c"==d', True),
        ("labels.empty", True),
        ("labels", False),
    ],
)
def test_matching(text: str, expected: bool) -> None:
    assert selects(text) is expected


def test_an_absent_field_is_unequal_to_everything() -> None:
    assert not selects('missing==""')
    assert selects("missing!=x")
    assert not selects('missing!=""')


def test_an_expression_is_run_against_the_empty_string_for_an_absent_field() -> None:
    assert selects("missing~=^$")
    assert not selects("missing~=^.$")


def test_strings_are_alternatives() -> None:
    assert selects("name==db", "name==web")
    assert not selects("name==db", "name==x")
    assert selects("name==db", "")


def test_no_string_selects_everything() -> None:
    assert filters.parse([]).match(lambda path: ("", False))


def test_one_bad_string_refuses_the_list() -> None:
    with pytest.raises(errors.InvalidArgument, match="position 1"):
        filters.parse(["name==web", "a=b"])


@pytest.mark.parametrize("text", ["name~=(", r'name~="\xff"', "name~=[z-a]"])
def test_an_expression_that_does_not_compile_matches_nothing(text: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert not selects(text)


def test_expressions_take_linear_time() -> None:
    selector = filters.parse(["name~=/^(a+)+$/"])
    started = time.perf_counter()
    assert not selector.match(lambda path: ("a" * 20_000 + "b", True))
    # A backtracking engine would need longer than the universe exists, so the bound may be generous.
    assert time.perf_counter() - started < 30


def test_joined_keys_of_an_empty_map_are_absent() -> None:
    assert filters.in_map({}, ["a"]) == ("", False)
    assert filters.in_map({"a.b": "c"}, ["a", "b"]) == ("c", True)


def test_filters_without_an_expression_load_no_engine() -> None:
    code = "import sys; from moorage_api import filters; filters.parse(['a==b']).match(lambda p: ('b', True)); "
    code += "sys.exit('re2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
