"""What happens between marking and sweeping must not be lost, and what is swept must be gone entirely."""

from collections.abc import Callable
from typing import Any

import pytest

from moorage_metadata_lmdb import rows
from moorage_sdk import digests
from moorage_sdk.containers import Container, Runtime
from moorage_sdk.content import Info
from moorage_sdk.descriptors import OCI_MANIFEST, Descriptor
from moorage_sdk.events import Payload
from moorage_sdk.images import Image
from moorage_sdk.leases import Resource

DIGEST = digests.of(b"x")
REF = "containerd.io/gc.ref."


def swept(rig: Any, meanwhile: Callable[[], Any] = lambda: None) -> list[str]:
    mark = rig.database._mark()
    meanwhile()
    removed, pause = rig.database._sweep(mark)
    assert pause > 0
    return sorted(str(node) for node in removed)


def test_rows_of_garbage_go_with_their_index_and_their_events(rig: Any) -> None:
    rig.put(b"x")
    rig.layer("base")
    rig.layer("top", "base")
    rig.view().leases.create("l", {"containerd.io/gc.expire": "2000-01-01T00:00:00Z"})
    rig.view().leases.add_resource("l", Resource(DIGEST, "content"))
    expired = {"containerd.io/gc.expire": "2000-01-01T00:00:00Z"}
    rig.view().images.create(Image("old", Descriptor(OCI_MANIFEST, DIGEST, 1), expired))
    rig.exchange.envelopes.clear()
    assert swept(rig) == [
        f"content default {DIGEST}",
        "image default old",
        "lease default l",
        "snapshot default memory/base",
        "snapshot default memory/top",
    ]
    assert sorted(rig.exchange.topics) == ["/images/delete", "/snapshot/remove", "/snapshot/remove"]
    with rig.database._ledger.read() as reading:
        for table in rows.ALL:
            assert table is rows.NAMESPACES or not reading.any(table)
        for kind in ("blob", "want", "ingest", "snapshot", "child"):
            assert not reading.known(kind)
    assert swept(rig) == []


def label(rig: Any, digest: str, **labels: str) -> None:
    named = {f"containerd.io/{key}": value for key, value in labels.items()}
    rig.view().content.update(Info(digest, labels=named))


def create_image(rig: Any) -> None:
    rig.view().images.create(Image("i", Descriptor(OCI_MANIFEST, DIGEST, 1)))


def create_container(rig: Any) -> None:
    rig.view().containers.create(
        Container("c", Runtime("r"), Payload("s", b""), snapshotter="memory", snapshot_key="base")
    )


def lease_it(rig: Any) -> None:
    rig.view().leases.create("l")
    rig.view().leases.add_resource("l", Resource(DIGEST, "content"))


def ask_for_it(rig: Any) -> None:
    rig.view().leases.create("l")
    try:
        rig.view(lease="l").content.writer("ref", expected=DIGEST)
    except Exception:
        return


def bring_again(rig: Any) -> None:
    rig.view().content.delete(DIGEST)
    rig.put(b"x")


@pytest.mark.parametrize(
    ("meanwhile", "kept"),
    [
        (create_image, f"content default {DIGEST}"),
        (create_container, "snapshot default memory/base"),
        (lease_it, f"content default {DIGEST}"),
        (ask_for_it, f"content default {DIGEST}"),
        (bring_again, f"content default {DIGEST}"),
        (lambda rig: label(rig, DIGEST, **{"gc.root": "1"}), f"content default {DIGEST}"),
        (lambda rig: rig.layer("top", "base"), "snapshot default memory/base"),
        (lambda rig: rig.view().snapshotter("memory").prepare("web", "base"), "snapshot default memory/base"),
        (lambda rig: rig.put(b"new", gc_ref_snapshot_memory="base"), "snapshot default memory/base"),
    ],
)
def test_what_is_used_meanwhile_stays(rig: Any, meanwhile: Callable[[Any], Any], kept: str) -> None:
    rig.put(b"x")
    rig.layer("base")
    candidates = {f"content default {DIGEST}", "snapshot default memory/base"}
    assert set(swept(rig, lambda: meanwhile(rig))) == candidates - {kept}


def test_what_follows_from_what_is_used_meanwhile_stays_too(rig: Any) -> None:
    rig.layer("base")
    rig.layer("top", "base")
    layer = rig.put(b"layer", gc_ref_snapshot_memory="top")
    rig.put(b"x")
    label(rig, DIGEST, **{"gc.ref.content": layer})
    assert swept(rig, lambda: create_image(rig)) == []
    rig.view().images.delete("i")
    assert len(swept(rig)) == 4


def test_a_parent_that_appears_meanwhile_keeps_what_refers_back_to_it(rig: Any) -> None:
    rig.put(b"x", gc_bref_container="c")
    rig.layer("base")
    assert swept(rig, lambda: create_container(rig)) == []


def test_a_condition_that_appears_meanwhile_keeps_its_snapshot_this_time(rig: Any) -> None:
    rig.put(b"x", gc_root="1")
    rig.layer("base", **{"gc_cond_value-usedat": "2000-01-01T00:00:00Z"})
    condition = {"gc.root": "1", "gc.cond.snapshot.memory": "usedat<1h|base"}
    assert swept(rig, lambda: label(rig, DIGEST, **condition)) == []
    assert swept(rig) == ["snapshot default memory/base"]


def test_what_is_deleted_meanwhile_is_not_removed_twice(rig: Any) -> None:
    rig.put(b"x")
    rig.exchange.envelopes.clear()
    assert swept(rig, lambda: rig.view().content.delete(DIGEST)) == []
    assert rig.exchange.topics == ["/content/delete"]


def test_a_sweep_is_no_reason_to_collect_again(rig: Any) -> None:
    heard: list[Any] = []
    rig.put(b"x")
    rig.database.watch(heard.append)
    assert swept(rig)
    assert heard == []
