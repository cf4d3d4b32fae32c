import threading
from typing import Any

import pytest

from moorage_metadata_lmdb import ledgers, rows
from moorage_metadata_lmdb.changes import Change
from moorage_metadata_lmdb.nodes import Kind, Node
from moorage_metadata_lmdb.rows import Ingest
from moorage_sdk import errors, metadata
from moorage_sdk.content import Info


def blob(number: int) -> Any:
    digest = f"sha256:{number:064x}"
    return lambda change: change.put(rows.BLOBS, ("ns", digest), Info(digest, number))


def test_numbers_are_never_given_twice(rig: Any) -> None:
    seen = [rig.database._ledger.number() for _ in range(5)]
    rig.reopen()
    seen += [rig.database._ledger.number() for _ in range(1500)]
    assert len(set(seen)) == len(seen)


def test_numbering_does_not_wait_for_what_waits_for_it(rig: Any, monkeypatch: Any) -> None:
    """A new block of numbers needs the writer's thread, which notes deletions after each commit."""
    monkeypatch.setattr(ledgers, "_BLOCK", 1)
    ledger = rig.database._ledger

    def delete() -> None:
        for number in range(150):
            ledger.change(blob(number))
            ledger.change(lambda change, number=number: change.delete(rows.BLOBS, "ns", f"sha256:{number:064x}"))

    def number() -> None:
        for _ in range(300):
            ledger.number()

    threads = [threading.Thread(target=each, daemon=True) for each in (delete, number, number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)


def test_listing_goes_page_by_page(rig: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(ledgers, "PAGE", 7)
    ledger = rig.database._ledger
    for number in range(21):
        ledger.change(blob(number))
    walk = ledger.rows(rows.BLOBS, "ns")
    sizes = [next(walk)[1].size for _ in range(7)]
    ledger.change(lambda change: change.delete(rows.BLOBS, "ns", f"sha256:{8:064x}"))
    sizes += [row.size for _, row in walk]
    assert sizes == [number for number in range(21) if number != 8]


def test_watchers_hear_what_a_change_was(rig: Any) -> None:
    ledger, heard = rig.database._ledger, []
    ledger.watch(heard.append)
    ledger.change(blob(1))
    ledger.change(lambda change: change.delete(rows.BLOBS, "ns", f"sha256:{1:064x}"))

    def quiet(change: Change) -> None:
        change.announced = False
        blob(2)(change)

    ledger.change(quiet)
    assert heard == [metadata.Change.MUTATION, metadata.Change.DELETION]


def test_a_full_store_is_a_reason_to_collect(rig: Any) -> None:
    ledger, heard = rig.database._ledger, []
    ledger.watch(heard.append)

    def fill(change: Change) -> None:
        raise errors.ResourceExhausted("map full")

    with pytest.raises(errors.ResourceExhausted):
        ledger.change(fill)
    assert heard == [metadata.Change.DELETION]


def test_touched_objects_are_remembered_only_while_somebody_wants_them(rig: Any) -> None:
    ledger = rig.database._ledger
    ledger.change(blob(1))
    ledger.arm()
    ledger.change(blob(2))
    expected = {Node(Kind.CONTENT, "ns", f"sha256:{2:064x}")}
    assert ledger.change(lambda change: ledger.disarm()) == expected
    ledger.change(blob(3))
    assert ledger.change(lambda change: ledger.disarm()) == set()


def test_deletions_make_backends_worth_a_look(rig: Any) -> None:
    ledger = rig.database._ledger
    assert ledger.cleanse() == {"content", "memory"}
    ledger.change(blob(1))
    assert ledger.cleanse() == set()
    ledger.change(lambda change: change.delete(rows.BLOBS, "ns", f"sha256:{1:064x}"))
    ledger.change(lambda change: change.put(rows.INGESTS, ("ns", "r"), Ingest("r", "ns/1/r")))
    assert ledger.cleanse() == {"content"}
    ledger.change(lambda change: change.delete(rows.INGESTS, "ns", "r", garbage=False))
    assert ledger.cleanse() == set()
