from typing import Any

import pytest

from moorage_metadata_lmdb import rows
from moorage_sdk import errors
from moorage_sdk.containers import Container, Runtime
from moorage_sdk.events import Payload
from moorage_sdk.leases import Resource
from moorage_sdk.namespaces import Namespace


def test_unknown_namespaces_are_empty_ones(rig: Any) -> None:
    assert rig.database.namespaces.get("nobody") == Namespace("nobody")
    assert rig.database.namespaces.list() == []


def test_create_and_list_in_order(rig: Any) -> None:
    store = rig.database.namespaces
    for name in ("b", "a", "B"):
        store.create(Namespace(name, {"k": name, "gone": ""}))
    assert [each.name for each in store.list()] == ["B", "a", "b"]
    assert store.get("a").labels == {"k": "a"}
    with pytest.raises(errors.AlreadyExists, match=r'^namespace "a": already exists$'):
        store.create(Namespace("a"))
    with pytest.raises(errors.InvalidArgument):
        store.create(Namespace("not an identifier"))
    with pytest.raises(errors.InvalidArgument, match="maximum size"):
        store.create(Namespace("c", {"k": "v" * 4096}))


def test_any_creation_creates_the_namespace(rig: Any) -> None:
    rig.view("made").leases.create("l")
    assert [each.name for each in rig.database.namespaces.list()] == ["made"]
    with pytest.raises(errors.AlreadyExists):
        rig.database.namespaces.create(Namespace("made"))


def test_update_replaces_or_changes_single_labels(rig: Any) -> None:
    store = rig.database.namespaces
    assert store.update(Namespace("new", {"a": "1", "b.c/d": "2"})).labels == {"a": "1", "b.c/d": "2"}
    assert store.update(Namespace("new", {"b.c/d": "3"}), ["labels.b.c/d"]).labels == {"a": "1", "b.c/d": "3"}
    assert store.update(Namespace("new"), ["labels.a"]).labels == {"b.c/d": "3"}
    assert store.update(Namespace("new", {"x": "y"})).labels == {"x": "y"}
    for path in ("labels", "name", "labels"):
        with pytest.raises(errors.InvalidArgument, match=f'cannot update "{path}" field'):
            store.update(Namespace("new"), [path])


def test_delete_names_what_is_left(rig: Any) -> None:
    store, view = rig.database.namespaces, rig.view("ns")
    with pytest.raises(errors.NotFound, match=r'^namespace "ns": not found$'):
        store.delete("ns")
    rig.put(b"data", "ns")
    view.snapshotter("memory").prepare("k")
    view.containers.create(Container("c", Runtime("r"), Payload("t", b"{}")))
    expected = 'namespace "ns" must be empty, but it still has blobs, containers, snapshots on "memory" snapshotter'
    with pytest.raises(errors.FailedPrecondition, match=expected):
        store.delete("ns")
    view.containers.delete("c")
    view.snapshotter("memory").remove("k")
    view.leases.create("l")
    view.leases.add_resource("l", Resource("i", "images"))
    view.content.writer("open").close()
    rig.view("nsx").leases.create("l")
    for info in list(view.content.walk()):
        view.content.delete(info.digest)
    store.delete("ns")
    assert [each.name for each in store.list()] == ["nsx"]
    with rig.database._ledger.read() as reading:
        assert [parts for table in rows.ALL for parts, _ in reading.scan(table, "ns")] == []
        assert reading.any(rows.LEASES, "nsx")
    assert rig.view("ns").content.statuses() == []


def test_events_are_published_inside_the_namespace(rig: Any) -> None:
    rig.database.namespaces.create(Namespace("a"))
    rig.database.namespaces.update(Namespace("a", {"k": "v"}))
    rig.database.namespaces.delete("a")
    assert rig.exchange.topics == ["/namespaces/create", "/namespaces/update", "/namespaces/delete"]
    assert {each.namespace for each in rig.exchange.envelopes} == {"a"}
