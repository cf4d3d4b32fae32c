"""Writers that share a blob; those with an ingest of their own are in ``test_conformance``."""

from typing import Any

import pytest

from moorage_sdk import digests, errors
from moorage_sdk.content import Writer

DATA = b"0123456789" * 200_000
DIGEST = digests.of(DATA)


@pytest.fixture
def shared(rig: Any) -> Writer:
    rig.put(DATA, "other")
    writer: Writer = rig.view().content.writer("ref", expected=DIGEST)
    return writer


def test_writing_copies_first(rig: Any, shared: Writer) -> None:
    assert shared.write(b"") == 0
    assert rig.content.ingests == {}
    shared.write(b"more")
    assert shared.status().offset == len(DATA) + 4
    assert shared.digest() == digests.of(DATA + b"more")
    assert shared.commit(len(DATA) + 4) == digests.of(DATA + b"more")
    assert rig.content.blobs[digests.of(DATA + b"more")] == DATA + b"more"


@pytest.mark.parametrize("size", [0, 7, len(DATA)])
def test_truncating_keeps_the_beginning(rig: Any, shared: Writer, size: int) -> None:
    with pytest.raises(errors.OutOfRange):
        shared.truncate(len(DATA) + 1)
    shared.truncate(size)
    assert shared.status().offset == size
    shared.write(b"end")
    assert shared.commit() == digests.of(DATA[:size] + b"end")


@pytest.mark.parametrize(
    ("size", "expected", "why"),
    [(5, "", "failed size validation: 2000000 != 5"), (0, digests.of(b"x"), "unexpected digest")],
)
def test_what_does_not_fit_is_refused_and_the_lock_given_back(
    rig: Any, shared: Writer, size: int, expected: str, why: str
) -> None:
    with pytest.raises(errors.FailedPrecondition, match=why):
        shared.commit(size, expected)
    with rig.view().content.writer("ref", expected=DIGEST) as again:
        assert again.commit() == DIGEST


def test_the_blob_stays_while_an_ingest_shares_it(rig: Any, shared: Writer) -> None:
    rig.view("other").content.delete(DIGEST)
    assert "blob" not in " ".join(rig.database.collect().removed)
    assert shared.commit() == DIGEST
    assert rig.view().content.info(DIGEST).size == len(DATA)


def test_bad_labels_close_the_writer(rig: Any, shared: Writer) -> None:
    with pytest.raises(errors.InvalidArgument, match="maximum size"):
        shared.commit(labels={"k": "v" * 5000})
    rig.view().content.writer("ref").close()
    with pytest.raises(errors.FailedPrecondition, match="writer closed"):
        shared.write(b"late")


def test_a_blob_named_meanwhile_is_told_and_the_ingest_goes(rig: Any, shared: Writer) -> None:
    rig.put(DATA)
    with pytest.raises(errors.AlreadyExists, match=rf"^content {DIGEST}: already exists$"):
        shared.commit()
    assert rig.view().content.statuses() == []
    with rig.database._ledger.read() as reading:
        assert not reading.known("want", DIGEST)
