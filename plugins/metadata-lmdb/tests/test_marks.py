import time
from datetime import UTC, datetime, timedelta
from typing import Any

from moorage_metadata_lmdb import marks
from moorage_sdk import digests
from moorage_sdk.containers import Container, Runtime
from moorage_sdk.content import Info
from moorage_sdk.descriptors import OCI_MANIFEST, Descriptor
from moorage_sdk.events import Payload
from moorage_sdk.images import Image
from moorage_sdk.leases import Resource
from moorage_sdk.sandboxes import Sandbox

SPEC = Payload("spec", b"{}")
REF = "containerd.io/gc.ref."


def when(**ago: float) -> str:
    return (datetime.now(UTC) - timedelta(**ago)).isoformat()


def mark(rig: Any) -> marks.Mark:
    with rig.database._ledger.read() as reading:
        return marks.make(reading, time.time_ns())


def garbage(rig: Any) -> list[str]:
    """What would be collected, in a few letters: kind and key."""
    return sorted(f"{node.kind.value} {node.key}" for node in mark(rig).garbage)


def blob(rig: Any, text: str, labels: dict[str, str] | None = None) -> str:
    digest: str = rig.put(text.encode())
    if labels:
        rig.view().content.update(Info(digest, labels=labels))
    return digest


def image(rig: Any, name: str, digest: str, **labels: str) -> None:
    target = Descriptor(OCI_MANIFEST, digest, 5)
    rig.view().images.create(Image(name, target, {f"containerd.io/{key}": value for key, value in labels.items()}))


def test_nothing_refers_to_it_so_it_is_garbage(rig: Any) -> None:
    digest = blob(rig, "a")
    rig.layer("layer")
    rig.view().snapshotter("memory").prepare("web", "layer")
    assert garbage(rig) == [f"content {digest}", "snapshot memory/layer", "snapshot memory/web"]


def test_an_image_keeps_its_tree(rig: Any) -> None:
    """As pull and unpack label it: index, manifest, config and layers, and the top snapshot on the config."""
    rig.layer("base")
    rig.layer("top", "base")
    rig.layer("stray")
    layer = blob(rig, "layer")
    config = blob(rig, "config", {REF + "snapshot.memory": "top"})
    manifest = blob(rig, "manifest", {REF + "content.config": config, REF + "content.l.0": layer})
    index = blob(rig, "index", {REF + "content.m.0": manifest, REF + "content.m.1": digests.of(b"never pulled")})
    stray = blob(rig, "stray")
    image(rig, "busybox", index)
    assert garbage(rig) == [f"content {stray}", "snapshot memory/stray"]
    rig.view().images.delete("busybox")
    assert len(garbage(rig)) == 8


def test_a_container_keeps_its_snapshot_and_its_labels_references(rig: Any) -> None:
    rig.layer("base")
    rig.view().snapshotter("memory").prepare("web", "base")
    digest = blob(rig, "checkpoint")
    labels = {REF + "content": digest}
    rig.view().containers.create(
        Container("c", Runtime("r"), SPEC, snapshotter="memory", snapshot_key="web", labels=labels)
    )
    assert garbage(rig) == []
    rig.view().containers.delete("c")
    assert len(garbage(rig)) == 3


def test_a_sandbox_keeps_what_its_labels_refer_to(rig: Any) -> None:
    rig.layer("base")
    digest = blob(rig, "pause")
    labels = {REF + "content.pause": digest, REF + "snapshot.memory": "base"}
    rig.view().sandboxes.create(Sandbox("p", Runtime(""), labels=labels))
    assert garbage(rig) == []
    rig.view().sandboxes.delete("p")
    assert len(garbage(rig)) == 2


def test_references_do_not_cross_namespaces(rig: Any) -> None:
    digest = rig.put(b"x", "a")
    rig.view("b").images.create(Image("i", Descriptor(OCI_MANIFEST, digest, 1)))
    assert garbage(rig) == [f"content {digest}"]


def test_leases_keep_what_they_hold_and_what_follows(rig: Any) -> None:
    leases = rig.view().leases
    leases.create("l")
    rig.layer("base")
    rig.layer("top", "base")
    layer = blob(rig, "layer")
    manifest = blob(rig, "manifest", {REF + "content.l.0": layer, REF + "snapshot.memory": "top"})
    leases.add_resource("l", Resource(manifest, "content"))
    rig.view(lease="l").content.writer("ref").close()
    assert garbage(rig) == []
    leases.delete("l")
    assert len(garbage(rig)) == 5


def test_flat_leases_keep_parents_and_targets_but_follow_no_labels(rig: Any) -> None:
    rig.view().leases.create("l", {"containerd.io/gc.flat": "yes"})
    hold = rig.view().leases.add_resource
    rig.layer("base")
    rig.layer("top", "base")
    rig.layer("other")
    layer = blob(rig, "layer")
    manifest = blob(rig, "manifest", {REF + "content.l.0": layer})
    image(rig, "expired", manifest, **{"gc.expire": when(hours=1), "gc.ref.snapshot.memory": "other"})
    hold("l", Resource("expired", "images"))
    hold("l", Resource("top", "snapshots/memory"))
    assert garbage(rig) == [f"content {layer}", "snapshot memory/other"]
    rig.view().leases.create("deep")
    hold("deep", Resource("expired", "images"))
    assert garbage(rig) == []


def test_leases_expire(rig: Any) -> None:
    leases = rig.view().leases
    digest = blob(rig, "a")
    for id, value in {"gone": when(seconds=1), "bad": "whenever", "later": when(hours=-1)}.items():
        leases.create(id, {"containerd.io/gc.expire": value})
    leases.add_resource("gone", Resource(digest, "content"))
    assert garbage(rig) == [f"content {digest}", "lease gone"]
    leases.add_resource("bad", Resource(digest, "content"))
    assert garbage(rig) == ["lease gone"]


def test_images_expire_unless_something_refers_to_them(rig: Any) -> None:
    digest = blob(rig, "a")
    image(rig, "gone", digest, **{"gc.expire": when(seconds=1)})
    image(rig, "bad", digest, **{"gc.expire": "whenever"})
    assert garbage(rig) == ["image gone"]
    blob(rig, "b", {"containerd.io/gc.root": "1", REF + "image": "gone"})
    assert garbage(rig) == []


def test_root_labels(rig: Any) -> None:
    blob(rig, "a", {"containerd.io/gc.root": "1"})
    rig.layer("base", gc_root="1")
    assert garbage(rig) == []


def test_ingests_live_for_a_day_or_with_their_lease(rig: Any, monkeypatch: Any) -> None:
    shared = blob(rig, "a")
    rig.view("other").content.writer("shares", expected=shared).close()
    rig.view().leases.create("l")
    rig.view(lease="l").content.writer("held").close()
    assert garbage(rig) == [f"content {shared}"]
    late = time.time_ns() + 25 * 3600 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: late)
    assert garbage(rig) == [f"content {shared}", "ingest shares"]
    rig.view().leases.delete("l")
    assert garbage(rig) == [f"content {shared}", "ingest held", "ingest shares"]


def test_back_references_tie_a_child_to_its_parents(rig: Any) -> None:
    back = "containerd.io/gc.bref."
    one = blob(rig, "one", {back + "container": "c"})
    two = blob(rig, "two", {back + "image.x": "i", REF + "content": digests.of(b"three")})
    blob(rig, "three")
    rig.layer("base")
    rig.layer("extra", gc_bref_snapshot_memory="base")
    target = blob(rig, "target")
    assert len(garbage(rig)) == 6
    rig.view().containers.create(Container("c", Runtime("r"), SPEC))
    assert f"content {one}" not in garbage(rig)
    image(rig, "i", target)
    assert garbage(rig) == ["snapshot memory/base", "snapshot memory/extra"]
    rig.view().leases.create("l")
    rig.view().leases.add_resource("l", Resource("base", "snapshots/memory"))
    assert garbage(rig) == []
    rig.view().images.delete("i")
    assert f"content {two}" in garbage(rig)


def test_an_expired_image_is_kept_by_its_back_reference(rig: Any) -> None:
    digest = blob(rig, "a", {"containerd.io/gc.root": "1"})
    image(rig, "i", digest, **{"gc.expire": when(seconds=1), "gc.bref.content": digest})
    assert garbage(rig) == []


def test_cycles_of_references_are_collected(rig: Any) -> None:
    one, two = digests.of(b"one"), digests.of(b"two")
    blob(rig, "one", {REF + "content": two, "containerd.io/gc.bref.content": two})
    blob(rig, "two", {REF + "content": one, "containerd.io/gc.bref.content": one})
    assert garbage(rig) == sorted([f"content {one}", f"content {two}"])


def test_conditional_references(rig: Any) -> None:
    digest = blob(rig, "a")
    conditions = {"gc.cond.snapshot.memory": "usedat<1h|fresh", "gc.cond.snapshot.memory/2": "usedat<1h|old"}
    image(rig, "i", digest, **conditions)
    rig.layer("fresh", **{"gc_cond_value-usedat": when(minutes=10)})
    rig.layer("old", **{"gc_cond_value-usedat": when(hours=2)})
    rig.layer("unused")
    assert garbage(rig) == ["snapshot memory/old", "snapshot memory/unused"]
    rig.view().images.delete("i")
    assert "snapshot memory/fresh" in garbage(rig)


def test_only_content_and_images_make_conditional_references(rig: Any) -> None:
    """As ``scanRoots`` asks for them; one on a snapshot, container or lease is ignored."""
    condition = {"containerd.io/gc.cond.snapshot.memory": "usedat<1h|fresh"}
    rig.layer("fresh", **{"gc_cond_value-usedat": when(minutes=10)})
    rig.layer("other", gc_root="1", gc_cond_snapshot_memory="usedat<1h|fresh")
    rig.view().containers.create(Container("c", Runtime("r"), SPEC, labels=condition))
    rig.view().leases.create("l", condition)
    assert garbage(rig) == ["snapshot memory/fresh"]
    blob(rig, "a", {"containerd.io/gc.root": "1", **condition})
    assert garbage(rig) == []


def test_the_next_expiry_is_the_earliest_that_is_still_to_come(rig: Any) -> None:
    digest = blob(rig, "a")
    assert mark(rig).next_expiry == 0
    rig.view().leases.create("gone", {"containerd.io/gc.expire": when(hours=1)})
    rig.view().leases.create("never")
    assert mark(rig).next_expiry == 0
    rig.view().content.writer("ref").close()
    day = mark(rig).next_expiry
    assert day > time.time_ns() + 23 * 3600 * 10**9
    image(rig, "i", digest, **{"gc.expire": when(hours=-2)})
    assert time.time_ns() < mark(rig).next_expiry < day
    rig.view().leases.create("soon", {"containerd.io/gc.expire": "2999-01-01T00:00:00Z"})
    assert mark(rig).next_expiry < time.time_ns() + 3 * 3600 * 10**9


def test_dangling_references_are_legal(rig: Any) -> None:
    image(rig, "i", digests.of(b"missing"))
    rig.view().containers.create(Container("c", Runtime("r"), SPEC, snapshotter="absent", snapshot_key="k"))
    rig.view().leases.create("l")
    for resource in (Resource("x", "images"), Resource("x", "ingests"), Resource("x", "snapshots/absent")):
        rig.view().leases.add_resource("l", resource)
    assert garbage(rig) == []
