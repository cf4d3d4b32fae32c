import types
from typing import Any

import pytest

from moorage_sdk import migrations


def module(**names: Any) -> types.ModuleType:
    made = types.ModuleType("module")
    made.__dict__.update(names)
    return made


def test_a_module_takes_part_in_what_it_has_and_in_nothing_else() -> None:
    def migrate(document: dict[str, Any], version: int) -> None:
        document.clear()

    whole = module(TABLES=("grpc",), FLAGS={"address": ("plugins", "x", "address")}, migrate=migrate)
    assert isinstance(whole, migrations.Tables)
    assert isinstance(whole, migrations.Flags)
    assert isinstance(whole, migrations.Migration)
    only = module(TABLES=())
    assert isinstance(only, migrations.Tables)
    assert not isinstance(only, migrations.Flags | migrations.Migration)


def test_absences_are_a_part_by_themselves() -> None:
    assert isinstance(module(ABSENT={("plugins", "x"): "not ours"}), migrations.Absences)
    assert not isinstance(module(TABLES=()), migrations.Absences)


@pytest.mark.parametrize(
    ("plugins", "wanted"),
    [
        ({"theirs": {"a": 1}}, {"ours": {"a": 1}}),
        ({"theirs": {"a": 1, "x": 2}}, {"theirs": {"x": 2}, "ours": {"a": 1}}),
        ({"theirs": {"a": 1, "b": 2}, "ours": {"b": 3}}, {"ours": {"a": 1, "b": 3}}),
        ({"theirs": {}}, {"ours": {}}),
        ({"theirs": {"a": 1}, "ours": 3}, {"ours": 3}),
        ({"theirs": 3}, {"theirs": 3}),
        ({"other": {}}, {"other": {}}),
    ],
)
def test_settings_of_theirs_become_ours_where_ours_say_nothing(plugins: Any, wanted: Any) -> None:
    document = {"plugins": plugins}
    migrations.adopt(document, "theirs", "ours", ("a", "b"))
    assert document == {"plugins": wanted}


def test_a_document_that_is_no_document_is_left_alone() -> None:
    for document in ({}, {"plugins": 3}, {"disabled_plugins": "x"}):
        before = dict(document)
        migrations.adopt(document, "theirs", "ours", ("a",))
        migrations.rename(document, "theirs", "ours")
        assert document == before


def test_lists_mean_ours() -> None:
    document = {"disabled_plugins": ["a", "theirs", 3], "required_plugins": ["theirs"]}
    migrations.rename(document, "theirs", "ours")
    assert document == {"disabled_plugins": ["a", "ours", 3], "required_plugins": ["ours"]}
