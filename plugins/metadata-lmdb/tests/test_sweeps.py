"""What happens between marking and sweeping must not be lost, and what is swept must be gone entirely."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moorage_metadata_lmdb import marks, rows
from moorage_sdk import digests, errors
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


NAMES = ["a", "b", "c", "d"]
SNAPSHOTS = ["s", "t", "u"]
digest_of = {name: digests.of(name.encode()) for name in NAMES}
names, snapshots = st.sampled_from(NAMES), st.sampled_from(SNAPSHOTS)
labels = st.dictionaries(
    st.sampled_from(["gc.ref.content.0", "gc.ref.content.1", "gc.bref.content", "gc.bref.image"]), names, max_size=2
)
targets = st.dictionaries(st.sampled_from(["gc.ref.snapshot.memory", "gc.bref.snapshot.memory"]), snapshots, max_size=1)
actions = st.lists(
    st.one_of(
        st.tuples(st.just("blob"), names, labels, targets),
        st.tuples(st.just("relabel"), names, labels, targets),
        st.tuples(st.just("forget"), names),
        st.tuples(st.just("image"), names, names, labels),
        st.tuples(st.just("untag"), names),
        st.tuples(st.just("lease"), names, st.booleans()),
        st.tuples(st.just("release"), names),
        st.tuples(st.just("hold"), names, names),
        st.tuples(st.just("keep"), names, snapshots),
        st.tuples(st.just("layer"), snapshots, st.sampled_from(["", *SNAPSHOTS]), targets),
        st.tuples(st.just("remove"), snapshots),
        st.tuples(st.just("container"), names, snapshots),
        st.tuples(st.just("kill"), names),
    ),
    max_size=14,
)


def named(*given: dict[str, str]) -> dict[str, str]:
    """Labels in full, with digests where content is meant."""
    merged = {key: value for each in given for key, value in each.items()}
    return {"containerd.io/" + k: digest_of[v] if "content" in k else v for k, v in merged.items()}


def perform(rig: Any, action: tuple[Any, ...]) -> None:
    view, (kind, name, *rest) = rig.view(), action
    snapshotter = view.snapshotter("memory")
    try:
        if kind == "blob":
            with view.content.writer(f"ref-{name}") as writer:
                writer.write(name.encode())
                writer.commit(labels=named(*rest))
        elif kind == "relabel":
            view.content.update(Info(digest_of[name], labels=named(*rest)))
        elif kind == "forget":
            view.content.delete(digest_of[name])
        elif kind == "image":
            view.images.create(Image(name, Descriptor(OCI_MANIFEST, digest_of[rest[0]], 1), named(rest[1])))
        elif kind == "untag":
            view.images.delete(name)
        elif kind == "lease":
            view.leases.create(name, {"containerd.io/gc.flat": "1"} if rest[0] else {})
        elif kind == "release":
            view.leases.delete(name)
        elif kind == "hold":
            view.leases.add_resource(name, Resource(digest_of[rest[0]], "content"))
        elif kind == "keep":
            view.leases.add_resource(name, Resource(rest[0], "snapshots/memory"))
        elif kind == "layer":
            snapshotter.prepare(f"active-{name}", rest[0])
            snapshotter.commit(name, f"active-{name}", named(rest[1]))
        elif kind == "remove":
            snapshotter.remove(name)
        elif kind == "container":
            spec = Payload("s", b"")
            view.containers.create(Container(name, Runtime("r"), spec, snapshotter="memory", snapshot_key=rest[0]))
        else:
            view.containers.delete(name)
    except (errors.NotFound, errors.AlreadyExists, errors.FailedPrecondition):
        return


def reachable(rig: Any) -> set[str]:
    """What is there and reachable, according to a mark of its own."""
    mark = rig.database._mark()
    return {str(node) for node in mark.collectable if node in mark.reachable}


def there(rig: Any) -> set[str]:
    return {str(node) for node in rig.database._mark().collectable}


@settings(max_examples=150, deadline=None)
@given(before=actions, meanwhile=actions)
def test_whatever_happens_between_mark_and_sweep_nothing_reachable_goes(
    before: list[Any], meanwhile: list[Any], tmp_path_factory: pytest.TempPathFactory, rig_class: Any
) -> None:
    rig = rig_class(tmp_path_factory.mktemp("sweep") / "db")
    try:
        for action in before:
            perform(rig, action)
        mark = rig.database._mark()
        for action in meanwhile:
            perform(rig, action)
        with rig.database._ledger.read() as reading:
            wanted = marks.make(reading, mark.now)
        needed = {str(node) for node in wanted.collectable if node in wanted.reachable}
        rig.database._sweep(mark)
        assert needed - there(rig) == set()
        # And a collection in peace leaves nothing else.
        rig.database.collect()
        assert there(rig) == needed == reachable(rig)
        known = {info.digest for info in rig.view().content.walk()}
        assert set(rig.content.blobs) == known
        assert len(rig.layers.infos) == len(list(rig.view().snapshotter("memory").walk()))
    finally:
        rig.database.close()
