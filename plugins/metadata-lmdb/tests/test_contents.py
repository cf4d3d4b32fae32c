"""What the namespaces add to a content store; the rest is in ``test_conformance``."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from moorage_api.messages import events as messages
from moorage_metadata_lmdb.contents import LIFE
from moorage_sdk import digests, errors
from moorage_sdk.content import Info
from moorage_sdk.leases import Resource
from moorage_sdk.namespaces import Namespace

DATA = b"data" * 1000
DIGEST = digests.of(DATA)


def test_backends_see_namespaced_references_and_no_expectation(rig: Any) -> None:
    refs = []
    for namespace in ("a", "b", "a"):
        with rig.view(namespace).content.writer("layer/1", size=5, expected=DIGEST) as writer:
            refs = sorted(rig.content.ingests)
            assert writer.status().ref == "layer/1"
    assert [ref.split("/", 2)[::2] for ref in refs] == [["a", "layer/1"], ["b", "layer/1"]]
    assert len(refs) == 2
    assert [status.ref for status in rig.view("a").content.statuses()] == ["layer/1"]


def test_namespaces_see_their_own_blobs_only(rig: Any) -> None:
    rig.put(DATA, "a")
    other = rig.view("b").content
    assert list(other.walk()) == []
    for call in (other.info, other.reader, other.delete):
        with pytest.raises(errors.NotFound, match=rf"^content digest {DIGEST}: not found$"):
            call(DIGEST)


def test_labels_are_a_namespaces_own(rig: Any) -> None:
    for namespace in ("a", "b"):
        rig.put(DATA, namespace)
        rig.view(namespace).content.update(Info(DIGEST, labels={"k": namespace}))
    assert rig.view("a").content.info(DIGEST).labels == {"k": "a"}
    assert rig.content.infos[DIGEST].labels == {}
    with pytest.raises(errors.InvalidArgument, match="maximum size"):
        rig.view("a").content.update(Info(DIGEST, labels={"k": "v" * 5000}))


def test_deletion_forgets_the_name_and_keeps_the_bytes(rig: Any) -> None:
    rig.put(DATA, "a")
    rig.put(DATA, "b")
    rig.view("a").content.delete(DIGEST)
    assert DIGEST in rig.content.blobs
    assert rig.view("b").content.info(DIGEST).size == len(DATA)


def test_an_existing_blob_is_leased_when_asked_for(rig: Any) -> None:
    rig.put(DATA)
    rig.view().leases.create("l")
    with pytest.raises(errors.AlreadyExists, match=rf"^content {DIGEST}: already exists$"):
        rig.view(lease="l").content.writer("ref", expected=DIGEST)
    assert rig.view().leases.resources("l") == [Resource(DIGEST, "content")]
    rig.view(lease="l").content.delete(DIGEST)
    assert rig.view().leases.resources("l") == []


def test_ingests_and_their_blobs_are_leased(rig: Any) -> None:
    rig.view().leases.create("l")
    content = rig.view(lease="l").content
    writer = content.writer("ref")
    assert rig.view().leases.resources("l") == [Resource("ref", "ingests")]
    writer.write(DATA)
    writer.commit()
    assert rig.view().leases.resources("l") == [Resource(DIGEST, "content")]
    content.writer("other").close()
    content.abort("other")
    assert rig.view().leases.resources("l") == [Resource(DIGEST, "content")]


def test_ingests_without_a_lease_live_a_day(rig: Any) -> None:
    rig.view().leases.create("l")
    before = time.time_ns()
    rig.view().content.writer("free").close()
    rig.view(lease="l").content.writer("held").close()
    with rig.database._ledger.read() as reading:
        from moorage_metadata_lmdb import rows

        lives = {row.ref: row.expires_at for _, row in reading.scan(rows.INGESTS)}
    assert before + LIFE <= lives["free"] <= time.time_ns() + LIFE
    assert lives["held"] == 0


def test_a_backend_that_refuses_leaves_no_trace(rig: Any) -> None:
    def refuse(ref: str, *, size: int = 0, expected: str = "") -> Any:
        raise errors.ResourceExhausted("no space left on device")

    original, rig.content.writer = rig.content.writer, refuse
    rig.view().leases.create("l")
    with pytest.raises(errors.ResourceExhausted):
        rig.view(lease="l").content.writer("ref")
    rig.content.writer = original
    assert rig.view().leases.resources("l") == []
    with rig.database._ledger.read() as reading:
        from moorage_metadata_lmdb import rows

        assert not reading.any(rows.INGESTS)
    rig.view().content.writer("ref").close()


def test_reference_locks_are_per_namespace_and_end_with_the_writer(rig: Any) -> None:
    with rig.view("a").content.writer("ref"):
        rig.view("b").content.writer("ref").close()
        with pytest.raises(errors.Unavailable, match=r"^ref ref locked for .* \(since .*\): unavailable$"):
            rig.view("a").content.writer("ref")
    writer = rig.view("a").content.writer("ref")
    with pytest.raises(errors.FailedPrecondition):
        writer.commit(99)
    rig.view("a").content.writer("ref").close()


def test_sharing_names_what_the_backend_has(rig: Any) -> None:
    rig.put(DATA, "a")
    content = rig.view("b").content
    with content.writer("ref", size=len(DATA), expected=DIGEST) as writer:
        status = writer.status()
        assert (status.offset, status.total, status.expected, status.ref) == (len(DATA), len(DATA), DIGEST, "ref")
        assert writer.digest() == DIGEST
        assert rig.content.ingests == {}
        assert writer.commit(len(DATA), DIGEST, {"k": "v"}) == DIGEST
    assert content.info(DIGEST).labels == {"k": "v"}
    assert content.info(DIGEST).size == len(DATA)
    assert content.statuses() == []


def test_a_wrong_size_is_no_reason_to_share(rig: Any) -> None:
    rig.put(DATA, "a")
    with rig.view("b").content.writer("ref", size=5, expected=DIGEST) as writer:
        assert writer.status().offset == 0


def test_isolated_namespaces_must_send_the_bytes(make_rig: Callable[..., Any]) -> None:
    rig = make_rig(shared=False)
    rig.put(DATA, "a")
    content = rig.view("b").content
    with content.writer("ref", size=len(DATA), expected=DIGEST) as writer:
        assert writer.status().offset == 0
        writer.write(DATA)
        assert writer.commit(len(DATA), DIGEST) == DIGEST
    assert content.info(DIGEST).size == len(DATA)
    assert list(rig.content.blobs) == [DIGEST]


def test_isolated_namespaces_get_what_another_offers(make_rig: Callable[..., Any]) -> None:
    rig = make_rig(shared=False)
    rig.put(DATA, "a")
    rig.database.namespaces.update(Namespace("a", {"containerd.io/namespace.shareable": "true"}))
    with rig.view("b").content.writer("ref", expected=DIGEST) as writer:
        assert writer.status().offset == len(DATA)
    rig.view("a").content.delete(DIGEST)
    with rig.view("c").content.writer("ref", expected=DIGEST) as writer:
        assert writer.status().offset == 0


def test_resuming_survives_a_restart(rig: Any) -> None:
    with rig.view().content.writer("ref") as writer:
        writer.write(DATA[:100])
    rig.reopen()
    assert rig.view().content.status("ref").offset == 100
    with rig.view().content.writer("ref") as writer:
        writer.write(DATA[100:])
        assert writer.commit() == DIGEST


def test_events(rig: Any) -> None:
    rig.put(DATA)
    rig.view().content.delete(DIGEST)
    assert rig.exchange.topics == ["/content/create", "/content/delete"]
    event = messages.ContentCreate.FromString(rig.exchange.envelopes[0].event.value)
    assert (event.digest, event.size) == (DIGEST, len(DATA))
    with rig.view().content.writer("again") as writer:
        writer.write(DATA)
        writer.commit()
    with rig.view().content.writer("again") as writer, pytest.raises(errors.AlreadyExists):
        writer.write(DATA)
        writer.commit()
    assert rig.exchange.topics[2:] == ["/content/create"]
