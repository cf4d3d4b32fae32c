from dataclasses import dataclass
from types import MappingProxyType

import pytest

from moorage_sdk import errors
from moorage_sdk.durations import Duration
from moorage_sdk.tables import Table


@dataclass(frozen=True)
class Entry:
    path: str = ""
    args: tuple[str, ...] = ()


WAYS = Table("ways", Entry, {"first": Entry("/x", ("a",)), "second": Entry("/y")})


def test_an_entry_of_a_file_replaces_the_default_whole() -> None:
    assert WAYS.read({"first": {"path": "/z"}, "third": {}}) == {
        "first": Entry("/z"),
        "second": Entry("/y"),
        "third": Entry(),
    }


def test_what_a_context_hands_out_can_be_read() -> None:
    """It is read only, and so no dict."""
    assert WAYS.read(MappingProxyType({"first": {"path": "/z"}}))["first"] == Entry("/z")


def test_entries_may_be_plain_values() -> None:
    assert Table("timeouts", Duration).read({"io.t": "2s"}) == {"io.t": Duration(2)}


def test_faults_and_unknown_keys_have_their_path() -> None:
    decoded = WAYS.decode({"a": {"path": 1}, "b": 2, "c": {"pat": ""}})
    assert list(map(str, decoded.faults)) == [
        "ways.a.path: expected string, got integer",
        "ways.b: expected table, got integer",
    ]
    assert list(map(str, decoded.unknown)) == ['ways.c.pat: unknown key, did you mean "path"?']
    assert str(WAYS.decode(3).faults[0]) == "ways: expected table, got integer"
    with pytest.raises(errors.InvalidArgument, match=r"ways.a.path: .*; ways.b: "):
        WAYS.read({"a": {"path": 1}, "b": 2})
