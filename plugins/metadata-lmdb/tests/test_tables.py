import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage_metadata_lmdb import rows, tables
from moorage_metadata_lmdb.nodes import Kind, Node
from moorage_sdk import errors

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.lists(texts, min_size=1, max_size=4))
def test_keys_can_be_taken_apart(parts: list[str]) -> None:
    assert tables.parts(tables.key(*parts)) == tuple(parts)


@given(st.lists(texts, min_size=2, max_size=2), st.lists(texts, min_size=2, max_size=2))
def test_no_two_rows_share_a_key(one: list[str], other: list[str]) -> None:
    assert (one == other) == (tables.key(*one) == tables.key(*other))
    assert (one[0] == other[0]) == tables.key(*one).startswith(tables.prefix(other[0]))


def test_names_that_are_no_text_are_refused() -> None:
    with pytest.raises(errors.InvalidArgument, match="not valid UTF-8"):
        tables.key("default", "\udcff")


def test_values_say_their_version() -> None:
    value = tables.pack({"a": "b", "empty": "", "none": None, "zero": 0, "labels": {}})
    assert value == b'\x01{"a":"b"}'
    assert tables.unpack(value) == {"a": "b"}
    for unknown in (b"", b"\x02{}"):
        with pytest.raises(errors.DataLoss, match="unknown"):
            tables.unpack(unknown)


def test_rows_have_nodes() -> None:
    assert rows.SNAPSHOTS.node(("ns", "overlayfs", "a/b")) == Node(Kind.SNAPSHOT, "ns", "overlayfs/a/b")
    assert rows.NAMESPACES.node(("ns",)) is None
