import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moorage_kv import Store, WriteTxn
from moorage_sdk import errors


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path, tables=("rows", "more"), map_size=64 << 20)
    yield opened
    opened.close()


def test_rows_come_in_order_and_are_cut_by_prefix(store: Store) -> None:
    def fill(txn: WriteTxn) -> None:
        for key in (b"b/2", b"a/1", b"b/1", b"c", b"b"):
            txn.table("rows").put(key, key.upper())

    store.write(fill)
    with store.read() as txn:
        rows = txn.table("rows")
        assert list(rows.scan_keys()) == [b"a/1", b"b", b"b/1", b"b/2", b"c"]
        assert list(rows.scan(b"b/")) == [(b"b/1", b"B/1"), (b"b/2", b"B/2")]
        assert list(rows.scan_keys(b"b", after=b"b/1")) == [b"b/2"]
        assert list(rows.scan_keys(b"b", after=b"z")) == []
        assert rows.first(b"d") is None
        assert b"c" in rows
        assert b"" not in rows
        assert len(rows) == 5
        assert len(txn.table("more")) == 0


def test_a_table_may_change_while_it_is_scanned(store: Store) -> None:
    def fill(txn: WriteTxn) -> None:
        for number in range(2000):
            txn.table("rows").put(b"%05d" % number, b"x" * 50)

    def halve(txn: WriteTxn) -> int:
        rows, seen = txn.table("rows"), 0
        for number, key in enumerate(rows.scan_keys()):
            seen += 1
            if number % 2:
                rows.delete(key)
        return seen

    store.write(fill)
    assert store.write(halve) == 2000
    with store.read() as txn:
        assert len(txn.table("rows")) == 1000
    assert store.write(lambda txn: txn.table("rows").clear(b"000")) == 50


def test_sequences_never_repeat(store: Store) -> None:
    def aborted(txn: WriteTxn) -> None:
        txn.next("ids")
        raise ValueError

    assert store.write(lambda txn: [txn.next("ids"), txn.next("ids"), txn.next("other")]) == [1, 2, 1]
    with pytest.raises(ValueError):
        store.write(aborted)
    assert store.write(lambda txn: txn.next("ids")) == 3
    with store.read() as txn:
        assert txn.counter("ids") == 3
        assert txn.counter("never") == 0


def test_transactions_end_with_their_block_and_stay_on_their_thread(store: Store) -> None:
    kept: list[WriteTxn] = []
    store.write(kept.append)
    with pytest.raises(errors.Internal, match="another thread"):
        kept[0].table("rows").get(b"x")
    with store.read() as txn:
        rows = txn.table("rows")
    with pytest.raises(errors.Internal, match="after its end"):
        rows.get(b"x")

    def leak(txn: WriteTxn) -> str:
        caught: list[BaseException] = []

        def touch() -> None:
            try:
                txn.table("rows").put(b"x", b"")
            except errors.Internal as error:
                caught.append(error)

        thread = threading.Thread(target=touch)
        thread.start()
        thread.join()
        return str(caught[0])

    assert "another thread" in store.write(leak)


def test_unknown_tables_and_empty_keys_are_refused(store: Store) -> None:
    with store.read() as txn, pytest.raises(errors.Internal, match='"nope"'):
        txn.table("nope")
    with pytest.raises(errors.InvalidArgument, match="empty key"):
        store.write(lambda txn: txn.table("rows").put(b"", b"x"))


long_names = st.builds(
    lambda prefix, tail: prefix + tail,
    st.sampled_from([b"", b"k" * 399, b"k" * 400, b"k" * 401, b"k" * 4000]),
    st.binary(min_size=1, max_size=3),
)


@settings(deadline=None, max_examples=60)
@given(rows=st.dictionaries(long_names, st.binary(max_size=8), max_size=40), bounds=st.lists(long_names, max_size=4))
def test_long_keys_keep_byte_order(
    rows: dict[bytes, bytes], bounds: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = Store.open(tmp_path_factory.mktemp("kv"), tables=("rows",), map_size=16 << 20, durable=False)
    try:
        store.write(lambda txn: [txn.table("rows").put(key, value) for key, value in rows.items()])
        with store.read() as txn:
            table = txn.table("rows")
            assert list(table.scan()) == sorted(rows.items())
            for bound in bounds:
                assert list(table.scan_keys(after=bound)) == sorted(key for key in rows if key > bound)
                assert list(table.scan_keys(bound[:-1])) == sorted(key for key in rows if key.startswith(bound[:-1]))
    finally:
        store.close()
