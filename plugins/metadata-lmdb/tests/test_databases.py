import random
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from moorage_kv import Store
from moorage_metadata_lmdb import rows
from moorage_metadata_lmdb.databases import SCHEMA, TABLES, Database
from moorage_metadata_lmdb.rows import Promotion
from moorage_sdk import digests, errors
from moorage_sdk.descriptors import OCI_MANIFEST, Descriptor
from moorage_sdk.images import Image
from moorage_sdk.leases import Resource
from moorage_sdk.snapshots import Info, Kind

DIGEST = digests.of(b"x")


def removed(rig: Any) -> list[str]:
    """What a collection removes, as printed."""
    return [str(each) for each in rig.database.collect().removed]


def test_views_need_a_namespace(rig: Any) -> None:
    with pytest.raises(errors.FailedPrecondition, match="namespace is required"):
        rig.view("")
    with pytest.raises(errors.InvalidArgument):
        rig.view("not an identifier")
    view = rig.view("ns", "l")
    assert (view.namespace, view.lease) == ("ns", "l")


def test_unknown_snapshotters_are_an_invalid_argument_with_the_reason(rig: Any) -> None:
    assert list(rig.database.snapshotters) == ["memory"]
    with pytest.raises(errors.InvalidArgument, match=r"^snapshotter not loaded: zfs \(zfs is made up\): invalid"):
        rig.view().snapshotter("zfs")
    with pytest.raises(errors.InvalidArgument, match="snapshotter argument missing"):
        rig.view().snapshotter("")


def test_the_default_snapshotter_is_the_best_that_works(rig: Any) -> None:
    assert rig.database.default_snapshotter == "memory"
    rig.snapshotters["native"] = rig.layers
    assert rig.database.default_snapshotter == "native"
    rig.snapshotters["overlayfs"] = rig.layers
    assert rig.database.default_snapshotter == "overlayfs"
    rig.snapshotters.clear()
    with pytest.raises(errors.FailedPrecondition, match="none works"):
        rig.database.default_snapshotter  # noqa: B018  # the property is what raises


def test_a_configured_default_that_does_not_work_is_told(rig: Any, tmp_path: Path) -> None:
    store = Store.open(tmp_path / "own", tables=TABLES, schema=SCHEMA, map_size=256 << 20, durable=False)
    database = Database(
        store, rig.content, rig.snapshotters, rig.exchange, default="zfs", reason=lambda name: "no disk"
    )
    with pytest.raises(errors.FailedPrecondition, match=r"default snapshotter not loaded: zfs \(no disk\)"):
        database.default_snapshotter  # noqa: B018  # the property is what raises
    rig.snapshotters["zfs"] = rig.layers
    assert database.default_snapshotter == "zfs"
    database.close()


def test_a_snapshotter_that_comes_late_is_found(rig: Any) -> None:
    late = type(rig.layers)()
    late.infos["orphan"] = Info(Kind.COMMITTED, "orphan")
    rig.snapshotters["late"] = late
    rig.view().snapshotter("late").prepare("k")
    assert "snapshot late orphan" in removed(rig)
    assert list(rig.database.snapshotters) == ["late", "memory"]


def test_a_snapshotter_that_fails_concerns_its_users_only(rig: Any) -> None:
    """One whose commit must be settled after a crash, and that cannot be reached."""
    broken = type(rig.layers)()
    rig.snapshotters["broken"] = broken
    rig.database._ledger.change(
        lambda change: change.put(rows.PROMOTIONS, ("ns", "broken", "k"), Promotion("k", "n", "ns/1/n"))
    )

    def unreachable(key: str) -> Info:
        raise errors.Unavailable("socket is gone")

    broken.stat = unreachable
    rig.reopen()
    rig.layer("base")
    for _ in range(2):
        with pytest.raises(errors.Unavailable, match="socket is gone"):
            rig.view().snapshotter("broken")
    assert rig.database.collect().failures == ("broken: socket is gone",)
    assert rig.layers.infos == {}
    del broken.stat
    rig.view().snapshotter("broken").prepare("k")
    with rig.database._ledger.read() as reading:
        assert not reading.any(rows.PROMOTIONS)


def test_a_collection_removes_rows_and_bytes(rig: Any) -> None:
    rig.put(b"x")
    rig.layer("base")
    kept = rig.put(b"kept", gc_root="1")
    collection = rig.database.collect()
    assert [str(each).rpartition(" ")[0] for each in collection.removed] == [
        "content default",
        "snapshot default",
        "blob",
        "snapshot memory",
    ]
    assert list(rig.content.blobs) == [kept]
    assert rig.layers.infos == {}
    assert collection.failures == ()
    assert 0 < collection.pause < collection.elapsed
    assert 0 < collection.marking < collection.elapsed
    again = rig.database.collect()
    assert (again.removed, again.failures) == ((), ())


def test_leftovers_of_a_crash_go_with_the_first_collection(rig: Any) -> None:
    rig.layer("base", gc_root="1")
    rig.database.collect()
    rig.layers.infos["default/77/extract"] = Info(Kind.ACTIVE, "default/77/extract")
    rig.content.writer("default/78/ref").close()
    assert rig.database.collect().removed == ()
    rig.reopen()
    assert sorted(removed(rig)) == ["ingest default/78/ref", "snapshot memory default/77/extract"]
    assert rig.view().snapshotter("memory").stat("base").kind is Kind.COMMITTED


def test_a_removal_that_failed_is_tried_again_and_the_rest_goes(rig: Any) -> None:
    for name in ("a", "b", "c"):
        rig.layer(name)
    broken = next(key for key in rig.layers.infos if key.endswith("/b"))
    rig.layers.broken = {broken}
    first = rig.database.collect()
    assert list(rig.layers.infos) == [broken]
    assert len(first.failures) == 1
    rig.view().snapshotter("memory").prepare("b")
    rig.layers.broken = set()
    assert f"snapshot memory {broken}" in removed(rig)


def test_a_backend_that_cannot_be_listed_does_not_stop_the_others(rig: Any) -> None:
    rig.layer("base")

    def walk() -> Any:
        raise OSError("content store is gone")

    original, rig.content.walk = rig.content.walk, walk
    collection = rig.database.collect()
    assert collection.failures == ("content: content store is gone",)
    assert rig.layers.infos == {}
    rig.content.walk = original
    assert rig.database.collect().failures == ()


def test_rows_of_a_snapshotter_that_is_not_there_are_kept_as_long_as_something_refers_to_them(rig: Any) -> None:
    rig.layer("base", gc_root="1")
    rig.layer("stray")
    del rig.snapshotters["memory"]
    assert removed(rig) == ["snapshot default memory/stray"]
    rig.snapshotters["memory"] = rig.layers
    rig.reopen()
    rig.database.collect()
    assert [info.name for info in rig.view().snapshotter("memory").walk()] == ["base"]
    assert len(rig.layers.infos) == 1


def test_what_expires_is_collected_when_its_time_has_come(rig: Any) -> None:
    soon = (datetime.now(UTC) + timedelta(milliseconds=80)).isoformat()
    rig.view().leases.create("l", {"containerd.io/gc.expire": soon})
    rig.put(b"x", lease="l")
    first = rig.database.collect()
    assert first.removed == ()
    assert time.time_ns() - 10**9 < first.next_expiry < time.time_ns() + 10**9
    deadline = time.monotonic() + 20
    while time.time_ns() <= first.next_expiry and time.monotonic() < deadline:
        time.sleep(0.005)
    second = rig.database.collect()
    assert f"blob {DIGEST}" in map(str, second.removed)
    assert second.next_expiry == 0
    assert rig.view().leases.list() == []


def test_a_pull_among_collections_loses_nothing(rig: Any) -> None:
    """Clients bring layers under leases and name them, others delete, while garbage is collected all the time."""
    stop, failures = threading.Event(), []

    def collect() -> None:
        while not stop.is_set():
            collection = rig.database.collect()
            if collection.failures:
                failures.append(collection.failures)

    def client(number: int) -> None:
        chance = random.Random(number)
        try:
            for step in range(12):
                pull(rig, f"{number}-{step}", chance)
        except Exception as error:
            failures.append(error)

    collector = threading.Thread(target=collect)
    clients = [threading.Thread(target=client, args=(number,)) for number in range(3)]
    for thread in (collector, *clients):
        thread.start()
    for thread in clients:
        thread.join(60)
    stop.set()
    collector.join(60)
    assert failures == []
    rig.database.collect()
    assert rig.content.blobs == {}
    assert rig.layers.infos == {}


def pull(rig: Any, name: str, chance: random.Random) -> None:
    rig.view().leases.create(name)
    view = rig.view(lease=name)
    shared = b"shared %d" % chance.randrange(3)
    with view.content.writer(f"ref-{name}") as writer:
        writer.write(shared)
        try:
            digest = writer.commit()
        except errors.AlreadyExists:
            digest = digests.of(shared)
    snapshotter = view.snapshotter("memory")
    chain = f"chain {digest}"
    try:
        snapshotter.prepare(f"extract-{name}", labels={"containerd.io/snapshot.ref": chain})
        snapshotter.commit(chain, f"extract-{name}")
    except errors.AlreadyExists:
        pass
    view.leases.add_resource(name, Resource(digest, "content"))
    labels = {"containerd.io/gc.ref.snapshot.memory": chain}
    view.images.create(Image(name, Descriptor(OCI_MANIFEST, digest, 5), labels))
    rig.view().leases.delete(name)
    # From here on the image alone keeps both, and they must be whole.
    with rig.view().content.reader(digest) as reader:
        assert reader.read_at(0, 100) == shared
    assert rig.view().snapshotter("memory").stat(chain).kind is Kind.COMMITTED
    rig.view().images.delete(name)
