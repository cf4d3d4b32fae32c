"""A plan says what a collection does, before it is done."""

from typing import Any

from moorage_sdk import digests, errors
from moorage_sdk.descriptors import OCI_MANIFEST, Descriptor
from moorage_sdk.garbage import Object, Removal
from moorage_sdk.images import Image
from moorage_sdk.snapshots import Usage

DIGEST = digests.of(b"x")


def planned(rig: Any) -> list[Object]:
    """What a plan names, after making sure that collecting does exactly that."""
    plan = rig.database.plan()
    assert rig.database.plan() == plan  # which changes nothing
    objects = [removal.object for removal in plan.removals]
    assert sorted(rig.database.collect().removed) == sorted(objects)
    assert rig.database.plan().removals == ()
    return objects


def test_of_nothing(rig: Any) -> None:
    rig.put(b"x", gc_root="1")
    rig.layer("base", gc_root="1")
    assert planned(rig) == []


def test_names_and_data_of_every_kind(rig: Any) -> None:
    rig.put(b"x")
    rig.layer("base")
    rig.layer("top", "base")
    rig.view().leases.create("l", {"containerd.io/gc.expire": "2000-01-01T00:00:00Z"})
    expired = {"containerd.io/gc.expire": "2000-01-01T00:00:00Z"}
    rig.view().images.create(Image("old", Descriptor(OCI_MANIFEST, DIGEST, 1), expired))
    plan = rig.database.plan()
    keys = {info.name.rpartition("/")[2]: info.name for info in rig.layers.walk()}
    assert [str(each) for each in plan.removals] == [
        "lease default l 0",
        "image default old 0",
        f"content default {DIGEST} 0",
        "snapshot default memory/base 0",
        "snapshot default memory/top 0",
        f"blob {DIGEST} 1",
        f"snapshot memory {keys['top']} {len(keys['top'])}",
        f"snapshot memory {keys['base']} {len(keys['base'])}",
    ]
    assert plan.size == 1 + sum(map(len, keys.values()))
    assert len(planned(rig)) == 8


def test_a_blob_that_another_namespace_names_takes_no_room(rig: Any) -> None:
    rig.put(b"x")
    rig.put(b"x", "other", gc_root="1")
    assert planned(rig) == [Object("content", "default", DIGEST)]


def test_a_blob_that_an_ingest_shares_stays_until_the_ingest_goes(rig: Any) -> None:
    rig.put(b"x")
    rig.view("other").leases.create("l")
    rig.view("other", "l").content.writer("ref", expected=DIGEST).close()
    assert planned(rig) == [Object("content", "default", DIGEST)]
    rig.view("other").leases.delete("l")
    assert planned(rig) == [Object("ingest", "other", "ref"), Object("blob", "", DIGEST)]


def test_what_a_crash_or_a_deletion_left_behind_is_planned_too(rig: Any) -> None:
    rig.put(b"x", gc_root="1")
    rig.database.collect()
    with rig.content.writer("stray") as writer:
        writer.write(b"half")
    assert rig.database.plan().removals == ()
    rig.reopen()
    assert rig.database.plan().removals == (Removal(Object("ingest", "", "stray"), 4),)
    rig.view().content.delete(DIGEST)
    assert planned(rig) == [Object("blob", "", DIGEST), Object("ingest", "", "stray")]


def test_a_size_that_nobody_knows_and_a_backend_that_cannot_be_asked(rig: Any) -> None:
    rig.layer("base")
    rig.put(b"x")

    def unknown(key: str) -> Usage:
        raise errors.Unimplemented("no usage")

    def broken() -> Any:
        raise OSError("content store is gone")

    rig.layers.usage = unknown
    walk, rig.content.walk = rig.content.walk, broken
    plan = rig.database.plan()
    assert [removal.size for removal in plan.removals if removal.object.namespace == ""] == [None]
    assert plan.failures == ("content: content store is gone",)
    assert plan.size == 0
    rig.content.walk = walk
    assert len(planned(rig)) == 4


def test_the_next_expiry_is_told(rig: Any) -> None:
    rig.view().leases.create("l", {"containerd.io/gc.expire": "2100-01-01T00:00:00Z"})
    assert rig.database.plan().next_expiry == 4102444800 * 10**9
