import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage_core import positions, writers
from moorage_sdk.config import Key


def lines(text: str) -> dict[Key, tuple[int, int]]:
    tomllib.loads(text)
    return {key: tuple(position) for key, position in positions.scan(text).items()}


def test_keys_tables_and_elements() -> None:
    text = """# a comment with [brackets] = "x"
version = 2   # trailing
  "io.x" = 'a'
a.b . "c" = [1,
  2, # two
  { k = 3, l.m = "}" }]

[plugins."io.containerd.x"]
key = true
[[list]]
n = 1
[list.sub]
m = 1
[[list]]
n = 2
"""
    assert lines(text) == {
        ("version",): (2, 1),
        ("io.x",): (3, 3),
        ("a",): (4, 1),
        ("a", "b"): (4, 1),
        ("a", "b", "c"): (4, 1),
        ("a", "b", "c", 0): (4, 14),
        ("a", "b", "c", 1): (5, 3),
        ("a", "b", "c", 2): (6, 3),
        ("a", "b", "c", 2, "k"): (6, 5),
        ("a", "b", "c", 2, "l"): (6, 12),
        ("a", "b", "c", 2, "l", "m"): (6, 12),
        ("plugins", "io.containerd.x"): (8, 1),
        ("plugins", "io.containerd.x", "key"): (9, 1),
        ("list",): (10, 1),
        ("list", 0): (10, 1),
        ("list", 0, "n"): (11, 1),
        ("list", 0, "sub"): (12, 1),
        ("list", 0, "sub", "m"): (13, 1),
        ("list", 1): (14, 1),
        ("list", 1, "n"): (15, 1),
    }


@pytest.mark.parametrize(
    "value",
    [
        '"""a\nb = 1\n"""',
        '"""a"""""',
        '"""\\""""',
        "'''a\n]'''",
        "'''it''s'''''",
        '""',
        "''",
        '"\\""',
        "'\\'",
        "[[], [[]]]",
        "{}",
        "1979-05-27T07:32:00Z",
        "1979-05-27 07:32:00",
        '["#", ]',
        "inf",
    ],
)
def test_values_end_where_they_end(value: str) -> None:
    text = f"first = {value}\nlast = 1\n"
    assert lines(text)[("last",)] == (text.count("\n"), 1)


def test_line_ends_and_columns() -> None:
    assert lines("a = 1\r\n\r\n  b = 2")[("b",)] == (3, 3)
    assert lines('\t"ä.ö" = 1')[("ä.ö",)] == (1, 2)


@pytest.mark.parametrize("key", ['"\\u00e9"', '"\\U0001F600"', '"a\\"b"', '"\\\\U0041"', '"\\U00000022"', "'\\u00e9'"])
def test_escapes_in_keys_are_tomllibs(key: str) -> None:
    text = f"{key} = 1"
    assert set(lines(text)) == {(name,) for name in tomllib.loads(text)}


def paths(value: Any, key: Key = ()) -> set[Key]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {key} | {path for name, item in inner for path in paths(item, (*key, name))}


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
scalars = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | names
trees = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3))


@given(st.dictionaries(names, trees, max_size=5))
def test_every_value_of_every_document_has_a_place(table: dict[str, Any]) -> None:
    text = writers.dumps(table)
    assert tomllib.loads(text) == table
    found = set(positions.scan(text))
    assert found <= paths(table)
    implied = paths(table) - {()} - found  # [a.b] makes a table "a" that stands nowhere itself
    assert all(isinstance(_at(table, key), dict) for key in implied), implied


def _at(value: Any, key: Key) -> Any:
    for part in key:
        value = value[part]
    return value
