from typing import Any

import pytest

from moorage_api.messages import events as messages
from moorage_metadata_lmdb import tables
from moorage_metadata_lmdb.changes import Change
from moorage_metadata_lmdb.outbox import Outbox
from moorage_sdk.namespaces import Namespace


def rows_left(rig: Any) -> int:
    with rig.store.read() as txn:
        return len(txn.table(tables.OUTBOX))


def test_events_carry_the_message_and_come_in_order(rig: Any) -> None:
    for name in ("a", "b", "c"):
        rig.database.namespaces.create(Namespace(name, {"k": "v"}))
    assert [(each.namespace, each.topic) for each in rig.exchange.envelopes] == [
        (name, "/namespaces/create") for name in ("a", "b", "c")
    ]
    event = rig.exchange.envelopes[0].event
    assert event.type_url == "containerd.events.NamespaceCreate"
    assert messages.NamespaceCreate.FromString(event.value).labels == {"k": "v"}
    times = [each.timestamp for each in rig.exchange.envelopes]
    assert times == sorted(set(times))


def test_published_rows_go_with_the_next_change(rig: Any) -> None:
    for name in ("a", "b", "c"):
        rig.database.namespaces.create(Namespace(name))
        assert rows_left(rig) == 1


def test_a_change_that_fails_has_no_event(rig: Any) -> None:
    def fail(change: Change) -> None:
        change.emit("default", "/namespaces/create", messages.NamespaceCreate(name="x"))
        raise ValueError

    with pytest.raises(ValueError):
        rig.database._ledger.change(fail)
    assert rig.exchange.envelopes == []
    assert rows_left(rig) == 0


def test_what_a_crash_kept_from_being_published_comes_after_the_start(rig: Any) -> None:
    outbox = Outbox(rig.exchange)
    outbox._publish = outbox.trim = lambda *args: None  # type: ignore[method-assign]  # dies between commit and publishing
    rig.database._ledger._outbox = outbox
    rig.database.namespaces.create(Namespace("a"))
    rig.database.namespaces.create(Namespace("b"))
    assert rig.exchange.envelopes == []
    rig.reopen()
    assert [each.namespace for each in rig.exchange.envelopes] == ["a", "b"]
    rig.database.namespaces.create(Namespace("c"))
    assert rows_left(rig) == 1


def test_what_was_published_is_not_repeated_after_an_orderly_stop(rig: Any) -> None:
    rig.database.namespaces.create(Namespace("a"))
    rig.reopen()
    assert [each.namespace for each in rig.exchange.envelopes] == ["a"]
    assert rows_left(rig) == 0


def test_an_exchange_that_refuses_does_not_stop_the_rest(rig: Any, caplog: pytest.LogCaptureFixture) -> None:
    rig.exchange.refuse = True
    rig.database.namespaces.create(Namespace("a"))
    rig.exchange.refuse = False
    rig.database.namespaces.create(Namespace("b"))
    assert "event /namespaces/create not published" in caplog.text
    assert [each.namespace for each in rig.exchange.envelopes] == ["b"]
