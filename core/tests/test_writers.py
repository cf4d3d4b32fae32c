import datetime
import tomllib
from typing import Any

import pytest

from moorage_core import writers


def test_prints_tables_as_a_person_would() -> None:
    table = {"b": {"io.x": {"k": [1, "a"]}, "empty": {}}, "a": True}
    assert writers.dumps(table) == 'a = true\n\n[b."io.x"]\nk = [1, "a"]\n\n[b.empty]\n'


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        1e100,
        float("inf"),
        -5,
        "\x7f\x00\"'\\\n\té😀",
        [],
        [{"a": {"b": [[]]}}],
        datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC),
        datetime.date(2026, 1, 2),
        datetime.time(1, 2, 3),
        {"": {"": 1}},
    ],
)
def test_what_is_written_is_read_back(value: Any) -> None:
    assert tomllib.loads(writers.dumps({"k": value})) == {"k": value}


def test_tuples_are_arrays() -> None:
    assert tomllib.loads(writers.dumps({"k": (1, 2)})) == {"k": [1, 2]}


@pytest.mark.parametrize("value", [None, object(), b"x", [None]])
def test_what_toml_does_not_know_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="no type of TOML"):
        writers.dumps({"k": value})


def test_comments_stand_above_what_they_are_about() -> None:
    table = {"a": 1, "b": 2, "c": {"d": 3, "e": {"f": 4}}, "g": {"h": {"i": 5}}}
    comments = {("a",): "first", ("b",): "one\n\ntwo", ("c", "e"): "inner", ("c", "d"): "deep", ("g",): "outer"}
    text = writers.dumps(table, comments)
    assert tomllib.loads(text) == table
    assert text == (
        "# first\na = 1\n\n# one\n#\n# two\nb = 2\n\n[c]\n# deep\nd = 3\n\n# inner\n[c.e]\nf = 4\n\n"
        "# outer\n[g]\n\n[g.h]\ni = 5\n"
    )
