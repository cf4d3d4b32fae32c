"""The write protocol, message by message."""

from typing import Any

import pytest

from moorage_api.messages import content as api
from moorage_sdk import digests, errors
from moorage_services.ingests import Ingest
from moorage_testkit.fakes.content import MemoryStore

DATA = b"hello world"
DIGEST = digests.of(DATA)


def message(action: int, **fields: Any) -> api.WriteContentRequest:
    return api.WriteContentRequest(action=action, **fields)


def opened(store: MemoryStore, **fields: Any) -> Ingest:
    return Ingest(store, message(api.STAT, ref="r", **fields))


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def test_a_whole_write(store: MemoryStore) -> None:
    ingest = opened(store, total=11, expected=DIGEST)
    stat = ingest.answer(message(api.STAT))
    assert (stat.action, stat.offset, stat.total, stat.digest) == (api.STAT, 0, 11, digests.of(b""))
    assert stat.started_at.seconds > 0
    assert ingest.answer(message(api.WRITE, data=DATA[:5])).offset == 5
    written = ingest.answer(message(api.WRITE, offset=5, data=DATA[5:]))
    assert (written.action, written.offset, written.digest) == (api.WRITE, 11, DIGEST)
    assert (written.started_at, written.updated_at, written.total) == (stat.started_at, stat.updated_at, 11)
    committed = ingest.answer(message(api.COMMIT, offset=11, labels={"k": "v"}))
    assert (committed.action, committed.offset, committed.digest) == (api.COMMIT, 11, DIGEST)
    assert dict(store.info(DIGEST).labels) == {"k": "v"}


def test_the_first_message_needs_a_reference(store: MemoryStore) -> None:
    with pytest.raises(errors.InvalidArgument, match="first message must have a reference"):
        Ingest(store, message(api.STAT))


def test_a_malformed_digest_is_refused_before_anything_is_locked(store: MemoryStore) -> None:
    with pytest.raises(errors.InvalidArgument):
        opened(store, expected="sha256:../../x")
    opened(store).close()


def test_an_offset_that_is_not_the_current_one_is_out_of_range(store: MemoryStore) -> None:
    ingest = opened(store)
    ingest.answer(message(api.WRITE, data=b"abc"))
    for offset in (1, 4):
        with pytest.raises(errors.OutOfRange, match=f"write @{offset} must occur at current offset 3"):
            ingest.answer(message(api.WRITE, offset=offset, data=b"x"))
    with pytest.raises(errors.InvalidArgument):
        ingest.answer(message(api.WRITE, offset=-1, data=b"x"))


def test_offset_zero_starts_over_also_for_a_commit(store: MemoryStore) -> None:
    ingest = opened(store)
    ingest.answer(message(api.WRITE, data=b"wrong"))
    assert ingest.answer(message(api.WRITE, offset=0, data=b"abc")).digest == digests.of(b"abc")
    assert ingest.answer(message(api.COMMIT, offset=0)).digest == digests.of(b"")


def test_data_may_come_with_the_commit(store: MemoryStore) -> None:
    ingest = opened(store)
    ingest.answer(message(api.WRITE, data=DATA[:5]))
    assert ingest.answer(message(api.COMMIT, offset=5, data=DATA[5:], total=11, expected=DIGEST)).digest == DIGEST
    assert store.blobs[DIGEST] == DATA


@pytest.mark.parametrize("told", [{"total": 12}, {"expected": digests.of(b"other")}])
def test_a_commit_of_something_else_fails_and_can_be_resumed(store: MemoryStore, told: dict[str, Any]) -> None:
    ingest = opened(store)
    ingest.answer(message(api.WRITE, data=DATA))
    with pytest.raises(errors.FailedPrecondition):
        ingest.answer(message(api.COMMIT, offset=11, **told))
    ingest.close()
    assert opened(store).answer(message(api.STAT)).offset == 11


def test_a_blob_that_appears_meanwhile_ends_the_ingest(store: MemoryStore) -> None:
    ingest = opened(store)
    ingest.answer(message(api.WRITE, data=b"abc"))
    other = store.writer("other")
    other.write(DATA)
    other.commit()
    with pytest.raises(errors.AlreadyExists, match="exists"):
        ingest.answer(message(api.WRITE, offset=3, expected=DIGEST))
    assert store.statuses() == []


def test_a_reference_is_locked_until_it_is_closed(store: MemoryStore) -> None:
    first = opened(store)
    with pytest.raises(errors.Unavailable, match="locked"):
        opened(store)
    first.close()
    opened(store).close()
