from collections.abc import Callable

import pytest

from moorage_core import documents, merges
from moorage_core.merges import Merged

Write = Callable[..., str]


@pytest.fixture
def merged(write: Write) -> Callable[[str, str], Merged]:
    def merge(first: str, second: str) -> Merged:
        path = write(second=second, first='imports = ["second.toml"]\n' + first)
        read, faults = documents.load(path)
        assert faults == []
        for document in read:
            document.table.pop("imports", None)
        return merges.merge(read)

    return merge


Merge = Callable[[str, str], Merged]


@pytest.mark.parametrize(
    ("first", "second", "result"),
    [
        ('root = "/a"', 'root = "/b"', {"root": "/b"}),
        ('root = "/a"', 'root = ""', {"root": "/a"}),
        ("oom_score = 5", "oom_score = 0", {"oom_score": 5}),
        ("oom_score = 0", "oom_score = 5", {"oom_score": 5}),
        ("", "oom_score = 0", {"oom_score": 0}),
    ],
)
def test_top_level_values_override_unless_empty(merged: Merge, first: str, second: str, result: object) -> None:
    assert merged(first, second).table == result


@pytest.mark.parametrize(
    ("first", "second", "result"),
    [
        ('l = ["1"]', 'l = ["2"]', ["1", "2"]),
        ('l = ["1"]', "l = []", ["1"]),
        ('l = ["1", "2"]', 'l = ["1"]', ["1", "2"]),
        ("l = []", 'l = ["2"]', ["2"]),
        ("", 'l = ["2"]', ["2"]),
    ],
)
def test_top_level_lists_are_united(merged: Merge, first: str, second: str, result: object) -> None:
    assert merged(first, second).table["l"] == result


def test_top_level_tables_override_by_entry_unless_empty(merged: Merge) -> None:
    result = merged('[debug]\nlevel = "info"\nformat = "json"', '[debug]\nlevel = "debug"\nformat = ""')
    assert result.table == {"debug": {"level": "debug", "format": "json"}}


def test_a_table_in_a_top_level_table_is_replaced_whole(merged: Merge) -> None:
    result = merged('[proxy_plugins.a]\ntype = "x"\naddress = "y"', '[proxy_plugins.a]\ntype = "z"')
    assert result.table == {"proxy_plugins": {"a": {"type": "z"}}}
    assert ("proxy_plugins", "a", "address") not in result.origins


def test_plugins_merge_to_the_bottom_where_everything_replaces(merged: Merge) -> None:
    result = merged(
        '[plugins."io.x"]\nlist = ["a"]\nflag = true\n[plugins."io.x".sub]\na = 1\nb = 1',
        '[plugins."io.x"]\nlist = []\nflag = false\n[plugins."io.x".sub]\nb = 2\n[plugins."io.y"]\nc = 3',
    )
    expected = {"io.x": {"list": [], "flag": False, "sub": {"a": 1, "b": 2}}, "io.y": {"c": 3}}
    assert result.table["plugins"] == expected


def test_every_value_remembers_its_file(merged: Merge) -> None:
    result = merged(
        'l = ["1"]\n[plugins."io.x"]\na = 1\nlist = ["p", "q"]', '\nl = ["1", "2"]\n[plugins."io.x"]\nlist = ["r"]'
    )

    def place(*key: str | int) -> str:
        return str(result.origin(key)).rpartition("/")[2]

    assert place("l", 0) == "first.toml:2:6"
    assert place("l", 1) == "second.toml:2:11"
    assert place("plugins", "io.x", "a") == "first.toml:4:1"
    assert place("plugins", "io.x", "list", 0) == "second.toml:4:9"
    assert ("plugins", "io.x", "list", 1) not in result.origins
    assert result.origin(("nothing",)) is None


def test_wrong_types_are_carried_for_the_decoder(merged: Merge) -> None:
    assert merged("plugins = 3", "").table == {"plugins": 3}
    assert merged('[plugins."io.x"]\na = 1', '[plugins]\n"io.x" = 1').table == {"plugins": {"io.x": 1}}


@pytest.mark.parametrize(
    ("first", "second", "fault"),
    [
        ("plugins = 3", '[plugins."io.x"]\na = 1', "2:1: plugins: expected table, got integer"),
        ('[plugins]\n"io.x" = 1', '[plugins."io.x"]\na = 1', '3:1: plugins."io.x": expected table, got integer'),
        ("debug = 1", '[debug]\nlevel = "info"', "2:1: debug: expected table, got integer"),
    ],
)
def test_a_value_that_gives_way_to_a_table_is_a_fault(merged: Merge, first: str, second: str, fault: str) -> None:
    (found,) = merged(first, second).faults
    assert str(found).endswith(f"/first.toml:{fault}")


def test_merging_does_not_change_the_documents(write: Write) -> None:
    path = write(second='l = ["2"]', first='imports = ["second.toml"]\nl = ["1"]')
    read, _ = documents.load(path)
    merges.merge(read)
    assert [document.table["l"] for document in read] == [["1"], ["2"]]
