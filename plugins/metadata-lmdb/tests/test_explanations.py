"""Each kind of reference, as it is told to people."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from moorage_metadata_lmdb import explanations, rows
from moorage_metadata_lmdb.nodes import Kind, Node
from moorage_metadata_lmdb.rows import Promotion
from moorage_sdk.containers import Container, Runtime
from moorage_sdk.content import Info
from moorage_sdk.descriptors import OCI_MANIFEST, Descriptor
from moorage_sdk.events import Payload
from moorage_sdk.images import Image
from moorage_sdk.leases import Resource
from moorage_sdk.sandboxes import Sandbox

SPEC = Payload("spec", b"{}")
PREFIX = "containerd.io/gc."


def told(rig: Any, kind: Kind, key: str) -> list[list[str]]:
    """The paths, each as ``key (because)`` of its steps."""
    with rig.database._ledger.read() as reading:
        explanation = explanations.explain(reading, time.time_ns(), Node(kind, "default", key))
    assert (explanation.object.kind, explanation.object.key) == (kind.value, key)
    return [[f"{step.object.kind} {step.object.key} ({step.because})" for step in path] for path in explanation.paths]


def image(rig: Any, name: str, digest: str, labels: dict[str, str] | None = None) -> None:
    rig.view().images.create(Image(name, Descriptor(OCI_MANIFEST, digest, 1), labels or {}))


def relabel(rig: Any, digest: str, labels: dict[str, str]) -> None:
    rig.view().content.update(Info(digest, labels=labels))


def test_garbage_has_no_path(rig: Any) -> None:
    assert told(rig, Kind.CONTENT, rig.put(b"x")) == []
    assert told(rig, Kind.IMAGE, "no such image") == []


def test_the_way_from_an_image_to_the_lowest_layer(rig: Any) -> None:
    rig.layer("base")
    rig.layer("top", "base")
    config = rig.put(b"config", gc_ref_snapshot_memory="top")
    manifest = rig.put(b"manifest")
    relabel(rig, manifest, {PREFIX + "ref.content.config": config})
    image(rig, "web", manifest)
    assert told(rig, Kind.SNAPSHOT, "memory/base") == [
        [
            "image web (root)",
            f"content {manifest} (target)",
            f"content {config} (label {PREFIX}ref.content.config)",
            f"snapshot memory/top (label {PREFIX}ref.snapshot.memory)",
            "snapshot memory/base (parent)",
        ]
    ]


def test_every_root_is_told_the_nearest_first(rig: Any) -> None:
    inner, outer = rig.put(b"inner"), rig.put(b"outer")
    relabel(rig, outer, {PREFIX + "ref.content.0": inner})
    image(rig, "a", outer)
    image(rig, "b", inner)
    rig.view().leases.create("l", {PREFIX + "flat": "1"})
    rig.view().leases.add_resource("l", Resource(inner, "content"))
    paths = told(rig, Kind.CONTENT, inner)
    assert sorted(path[0] for path in paths) == ["image a (root)", "image b (root)", "lease l (root)"]
    assert [len(path) for path in paths] == [2, 2, 3]
    assert ["lease l (root)", f"content {inner} (held)"] in paths


def a_container(rig: Any, digest: str) -> None:
    labels = {PREFIX + "ref.content.x": digest}
    rig.view().containers.create(
        Container("c", Runtime("r"), SPEC, snapshotter="memory", snapshot_key="k", labels=labels)
    )


def a_sandbox(rig: Any, digest: str) -> None:
    rig.view().sandboxes.create(
        Sandbox("s", sandboxer="x", runtime=Runtime("r"), labels={PREFIX + "ref.content": digest})
    )


def a_back_reference(rig: Any, digest: str) -> None:
    image(rig, "i", "sha256:" + "0" * 64)
    relabel(rig, digest, {PREFIX + "bref.image/x": "i"})


def an_ingest(rig: Any, digest: str) -> None:
    other = rig.view("other").content
    other.writer("theirs", expected=digest).close()
    rig.view().content.delete(digest)
    rig.view().content.writer("ours", expected=digest).close()


@pytest.mark.parametrize(
    ("make", "steps"),
    [
        (a_container, ["container c (root)", f"label {PREFIX}ref.content.x"]),
        (a_sandbox, ["sandbox s (root)", f"label {PREFIX}ref.content"]),
        (a_back_reference, ["image i (root)", f"its own label {PREFIX}bref.image/x"]),
        (an_ingest, ["ingest ours (being written, until ", "shared"]),
        (lambda rig, digest: relabel(rig, digest, {PREFIX + "root.y": "1"}), [f"label {PREFIX}root.y"]),
    ],
)
def test_each_way_to_keep_a_blob(rig: Any, make: Callable[[Any, str], None], steps: list[str]) -> None:
    digest = rig.put(b"x")
    make(rig, digest)
    (path,) = told(rig, Kind.CONTENT, digest)
    assert path[-1] == f"content {digest} ({steps[-1]})"
    assert len(path) == len(steps)
    assert path[0].startswith(steps[0] if len(steps) > 1 else path[0])


def test_a_snapshot_of_a_container_one_being_committed_and_a_conditional_one(rig: Any) -> None:
    rig.view().snapshotter("memory").prepare("web")
    rig.view().containers.create(Container("c", Runtime("r"), SPEC, snapshotter="memory", snapshot_key="web"))
    assert told(rig, Kind.SNAPSHOT, "memory/web") == [["container c (root)", "snapshot memory/web (snapshot)"]]
    now = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    rig.layer("used", **{"gc_cond_value-usedat": now})
    condition = {PREFIX + "cond.snapshot.memory": "usedat<1h|used"}
    image(rig, "i", "sha256:" + "0" * 64, condition)
    expected = ["image i (root)", f"snapshot memory/used (label {PREFIX}cond.snapshot.memory)"]
    assert told(rig, Kind.SNAPSHOT, "memory/used") == [expected]
    rig.layer("base")
    rig.database._ledger.change(
        lambda change: change.put(rows.PROMOTIONS, ("default", "memory", "k"), Promotion("k", "n", "ns/1/n", "base"))
    )
    assert told(rig, Kind.SNAPSHOT, "memory/base") == [["snapshot memory/base (being committed)"]]


def test_what_will_expire_is_told_with_its_time(rig: Any) -> None:
    rig.view().leases.create("l", {PREFIX + "expire": "2999-01-02T03:04:05Z"})
    rig.view().leases.create("for ever", {PREFIX + "expire": "9999-12-31T23:59:59Z"})
    assert told(rig, Kind.LEASE, "l") == [["lease l (root until 2999-01-02T03:04:05Z)"]]
    assert told(rig, Kind.LEASE, "for ever") == [["lease for ever (root until 9999-12-31T23:59:59Z)"]]


def test_a_base_of_many_is_told_with_some_of_its_roots_only(rig: Any) -> None:
    digest = rig.put(b"x")
    for number in range(explanations.LIMIT + 5):
        image(rig, f"i{number}", digest)
    assert len(told(rig, Kind.CONTENT, digest)) == explanations.LIMIT
