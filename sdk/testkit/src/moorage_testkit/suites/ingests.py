"""What every content store must do with what is written to it. See ``suites.content``."""

from __future__ import annotations

import pytest

from moorage_sdk import digests, errors, labels
from moorage_sdk.content import ContentStore
from moorage_testkit.suites.blobs import check_blob, check_status, make_bytes, pieces, put, read, span

SIZES = (0, 1, 500, 5_000, 50_000)


class IngestSuite:
    """Provide a fixture ``store``.

    ``keeps_labels``: blobs may have labels. ``truncates``: ingests may be cut anywhere, and not only to nothing.
    """

    keeps_labels = False
    truncates = True

    @pytest.fixture
    def store(self) -> ContentStore:
        raise NotImplementedError("the deriving class makes the store")

    @pytest.mark.parametrize("size", SIZES)
    @pytest.mark.parametrize("announced", ["nothing", "size", "digest", "both"])
    def test_written_bytes_become_a_blob(self, store: ContentStore, size: int, announced: str) -> None:
        data = make_bytes(size)
        digest = digests.of(data)
        known_size = size if announced in ("size", "both") else 0
        known_digest = digest if announced in ("digest", "both") else ""
        with store.writer("ref", size=known_size, expected=known_digest) as writer:
            for piece in pieces(data, 4096):
                assert writer.write(piece) == len(piece)
            assert writer.digest() == digest
            with span() as committed:
                assert writer.commit(known_size, known_digest) == digest
        check_blob(store, data, committed)
        assert store.statuses() == []

    def test_writers_side_by_side(self, store: ContentStore) -> None:
        """Whatever each announces, in small pieces, and each with labels of its own."""
        blobs = [make_bytes(256, seed) for seed in range(4)]
        writers = [
            store.writer("c0"),
            store.writer("c1", size=256),
            store.writer("c2", expected=digests.of(blobs[2])),
            store.writer("c3", size=256, expected=digests.of(blobs[3])),
        ]
        assert [status.ref for status in sorted(store.statuses(), key=lambda status: status.ref)] == [
            "c0", "c1", "c2", "c3",
        ]  # fmt: skip
        for several in zip(*(pieces(data, 32) for data in blobs), strict=True):
            for writer, piece in zip(writers, several, strict=True):
                writer.write(piece)
        for number, (writer, data) in enumerate(zip(writers, blobs, strict=True)):
            given = {labels.GC_ROOT: "now", "number": str(number)} if self.keeps_labels else {}
            with span() as committed:
                assert writer.commit(labels=given) == digests.of(data)
            assert writer.digest() == digests.of(data)
            check_blob(store, data, committed, labels=given)

    @pytest.mark.parametrize(
        ("size", "piece"),
        [
            pytest.param(64 << 10, 32, id="small pieces"),
            pytest.param(32 << 20, 32 << 20, id="one large piece"),
            pytest.param(1 << 20, 32, id="very many pieces", marks=pytest.mark.full),
            pytest.param(16 << 20, 1000, id="odd pieces", marks=pytest.mark.full),
        ],
    )
    def test_large_blob(self, store: ContentStore, size: int, piece: int) -> None:
        data = make_bytes(size)
        with store.writer("ref", size=size, expected=digests.of(data)) as writer:
            for part in pieces(data, piece):
                assert writer.write(part) == len(part)
            with span() as committed:
                writer.commit()
        check_blob(store, data, committed)

    def test_buffers_of_every_kind_are_taken(self, store: ContentStore) -> None:
        with store.writer("ref") as writer:
            writer.write(b"a")
            writer.write(bytearray(b"bc"))
            writer.write(memoryview(b"xdefx")[1:4])
            assert writer.commit() == digests.of(b"abcdef")

    def test_status_follows_the_bytes(self, store: ContentStore) -> None:
        with store.writer("ref", size=256) as writer:
            first = writer.status()
            assert (first.ref, first.offset, first.total) == ("ref", 0, 256)
            for step in range(1, 5):
                writer.write(bytes(64))
                for status in (writer.status(), store.status("ref")):
                    assert (status.ref, status.offset, status.total) == ("ref", 64 * step, 256)
                    assert status.started_at == first.started_at
                    assert status.updated_at >= first.updated_at
            assert [status.ref for status in store.statuses()] == ["ref"]

    def test_status_tells_when(self, store: ContentStore) -> None:
        data = make_bytes(256)
        with span() as started:
            writer = store.writer("ref", size=256, expected=digests.of(data))
        check_status(writer, "ref", b"", 256, started, started)
        written = 0
        for end in (64, 192, 256):
            with span() as updated:
                writer.write(data[written:end])
            written = end
            check_status(writer, "ref", data[:end], 256, started, updated)
        with span() as committed:
            writer.commit()
        check_blob(store, data, committed)

    def test_status_is_the_same_when_resumed(self, store: ContentStore) -> None:
        data = make_bytes(256)
        with span() as started:
            writer = store.writer("ref", size=256, expected=digests.of(data))
        with span() as updated:
            writer.write(data[:128])
        check_status(writer, "ref", data[:128], 256, started, updated)
        writer.close()
        assert store.status("ref").started_at in started
        assert store.status("ref").updated_at in updated
        with store.writer("ref", size=256, expected=digests.of(data)) as writer:
            check_status(writer, "ref", data[:128], 256, started, updated)
            with span() as updated:
                writer.write(data[128:])
            check_status(writer, "ref", data, 256, started, updated)
            with span() as committed:
                writer.commit()
        check_blob(store, data, committed)

    def test_statuses_are_ordered_by_reference(self, store: ContentStore) -> None:
        for ref in ("b", "c/d e", "a"):
            store.writer(ref).close()
        assert [status.ref for status in store.statuses()] == ["a", "b", "c/d e"]

    def test_reference_may_be_long_and_strange(self, store: ContentStore) -> None:
        ref = "layer-sha256:" + "ü/../" * 1000
        store.writer(ref).close()
        assert store.status(ref).ref == ref

    def test_empty_reference_is_refused(self, store: ContentStore) -> None:
        with pytest.raises(errors.InvalidArgument):
            store.writer("")

    def test_existing_blob_is_told_when_opening(self, store: ContentStore) -> None:
        digest = put(store, b"data")
        with pytest.raises(errors.AlreadyExists):
            store.writer("again", expected=digest)
        assert store.statuses() == []

    @pytest.mark.parametrize("checked", [True, False])
    def test_existing_blob_is_told_when_committing_and_the_ingest_goes(
        self, store: ContentStore, checked: bool
    ) -> None:
        data = make_bytes(1000)
        digest = put(store, data)
        writer = store.writer("again")
        writer.write(data)
        with pytest.raises(errors.AlreadyExists):
            writer.commit(len(data), digest if checked else "")
        assert store.statuses() == []
        store.writer("again").close()

    @pytest.mark.parametrize("size", [500, 5_000, 50_000])
    @pytest.mark.parametrize("percent", [0, 10, 50, 90, 100])
    @pytest.mark.parametrize("piece", [1024, 1 << 20])
    def test_resumes_where_it_stopped(self, store: ContentStore, size: int, percent: int, piece: int) -> None:
        """With the buffers of all who copy: what a copy reads of its source again, it does not write again."""
        data = make_bytes(size)
        cut = size * percent // 100
        with store.writer("ref", size=size) as writer:
            writer.write(data[:cut])
            started = writer.status().started_at
        assert store.status("ref").offset == cut
        with store.writer("ref", size=size) as writer:
            status = writer.status()
            assert (status.offset, status.total, status.started_at) == (cut, size, started)
            assert writer.digest() == digests.of(data[:cut])
            for part in pieces(data[cut:], piece):
                writer.write(part)
            with span() as committed:
                assert writer.commit(size, digests.of(data)) == digests.of(data)
        check_blob(store, data, committed)
        with pytest.raises(errors.AlreadyExists):
            store.writer("ref", size=size, expected=digests.of(data))
        assert store.statuses() == []

    def test_copy_of_a_source_that_ends_early_is_resumed(self, store: ContentStore) -> None:
        data = make_bytes(5000)
        for end in (1000, 4999):
            with store.writer("ref", size=5000, expected=digests.of(data)) as writer:
                writer.write(data[writer.status().offset : end])
                with pytest.raises(errors.FailedPrecondition):
                    writer.commit(5000, digests.of(data))
            assert store.status("ref").offset == end
        with store.writer("ref", size=5000, expected=digests.of(data)) as writer:
            writer.write(data[4999:])
            with span() as committed:
                writer.commit(5000, digests.of(data))
        check_blob(store, data, committed)

    @pytest.mark.parametrize("kept", [0, 100, 400])
    def test_truncates_and_starts_over(self, store: ContentStore, kept: int) -> None:
        data = make_bytes(500)
        with store.writer("ref") as writer:
            writer.write(data[:kept] + b"wrong" * 100)
            if kept and not self.truncates:
                with pytest.raises(errors.Unimplemented):
                    writer.truncate(kept)
                return
            writer.truncate(kept)
            assert writer.status().offset == kept
            assert writer.digest() == digests.of(data[:kept])
            writer.write(data[kept:])
            assert writer.commit(500, digests.of(data)) == digests.of(data)
        assert read(store, digests.of(data)) == data

    @pytest.mark.parametrize("size", [500, 5_000, 50_000])
    @pytest.mark.parametrize("percent", [0, 10, 50, 90, 100])
    def test_resumes_from_the_first_byte(self, store: ContentStore, size: int, percent: int) -> None:
        data = make_bytes(size)
        with store.writer("ref", size=size, expected=digests.of(data)) as writer:
            writer.write(make_bytes(size, seed=1)[: size * percent // 100])
        with store.writer("ref", size=size, expected=digests.of(data)) as writer:
            assert writer.status().offset == size * percent // 100
            writer.truncate(0)
            for part in pieces(data, 1024):
                writer.write(part)
            with span() as committed:
                assert writer.commit(size, digests.of(data)) == digests.of(data)
        check_blob(store, data, committed)
        assert store.statuses() == []

    def test_truncating_never_extends(self, store: ContentStore) -> None:
        if not self.truncates:
            pytest.skip("this store truncates to nothing only")
        with store.writer("ref") as writer:
            writer.write(b"data")
            with pytest.raises(errors.OutOfRange):
                writer.truncate(5)
            assert writer.commit(4, digests.of(b"data")) == digests.of(b"data")

    def test_other_total_than_before_is_refused(self, store: ContentStore) -> None:
        store.writer("ref", size=10).close()
        with pytest.raises(errors.FailedPrecondition):
            store.writer("ref", size=11)
        store.writer("ref").close()

    def test_one_writer_per_reference(self, store: ContentStore) -> None:
        with store.writer("ref"):
            with pytest.raises(errors.Unavailable, match="locked for"):
                store.writer("ref")
            store.writer("other").close()
        store.writer("ref").close()

    def test_what_a_writer_has_is_not_aborted(self, store: ContentStore) -> None:
        with store.writer("ref") as writer:
            writer.write(b"data")
            with pytest.raises(errors.Unavailable):
                store.abort("ref")
            assert writer.commit() == digests.of(b"data")

    def test_failed_opening_leaves_no_lock(self, store: ContentStore) -> None:
        for _ in range(2):
            with pytest.raises(errors.InvalidArgument):
                store.writer("ref", expected="sha256:short")
        store.writer("ref").close()

    def test_wrong_size_and_digest_leave_the_ingest_resumable(self, store: ContentStore) -> None:
        data = make_bytes(1000)
        for size, digest in ((999, digests.of(data)), (1000, digests.of(b"other")), (1001, "")):
            with store.writer("ref") as writer:
                if writer.status().offset == 0:
                    writer.write(data)
                with pytest.raises(errors.FailedPrecondition):
                    writer.commit(size, digest)
            assert store.status("ref").offset == 1000
        with store.writer("ref") as writer:
            assert writer.commit(1000, digests.of(data)) == digests.of(data)

    def test_reference_is_locked_again_after_every_commit(self, store: ContentStore) -> None:
        """Of one reference, whether its commits fail or not: they release it, and leave it locked to nobody."""
        data, longer = make_bytes(256), make_bytes(256) + b"more"
        put(store, data)
        self._commit(store, data, 256, digests.of(data), errors.AlreadyExists)
        self._commit(store, data, 256, "", errors.AlreadyExists)
        self._commit(store, longer, 260, digests.of(b"other"), errors.FailedPrecondition)
        self._commit(store, b"", 256, "", errors.FailedPrecondition)
        self._commit(store, b"", 260, "", None)
        assert read(store, digests.of(longer)) == longer
        self._commit(store, data, 256, digests.of(data), errors.AlreadyExists)
        for _ in range(2):
            with store.writer("ref") as writer:
                self._check_locked(store)
                writer.truncate(0)
        assert store.status("ref").offset == 0

    def _commit(
        self, store: ContentStore, data: bytes, size: int, expected: str, wanted: type[errors.Error] | None
    ) -> None:
        with store.writer("ref") as writer:
            self._check_locked(store)
            if data:
                writer.write(data)
            if wanted is None:
                writer.commit(size, expected)
                return
            with pytest.raises(wanted):
                writer.commit(size, expected)

    def _check_locked(self, store: ContentStore) -> None:
        with pytest.raises(errors.Unavailable):
            store.writer("ref")

    @pytest.mark.parametrize("algorithm", ["sha384", "sha512"])
    @pytest.mark.parametrize("late", [True, False])
    def test_other_algorithms(self, store: ContentStore, algorithm: str, late: bool) -> None:
        data = make_bytes(3000)
        digest = digests.of(data, algorithm)
        with store.writer("ref", expected="" if late else digest) as writer:
            writer.write(data)
            assert writer.commit(0, digest) == digest
        assert read(store, digest) == data
        with pytest.raises(errors.NotFound):
            store.info(digests.of(data))

    def test_closed_writer_is_closed(self, store: ContentStore) -> None:
        writer = store.writer("ref")
        writer.close()
        writer.close()
        with pytest.raises(errors.FailedPrecondition):
            writer.write(b"late")
        with pytest.raises(errors.FailedPrecondition):
            writer.commit()

    def test_abort_forgets_the_ingest(self, store: ContentStore) -> None:
        with store.writer("ref") as writer:
            writer.write(b"data")
        store.abort("ref")
        with pytest.raises(errors.NotFound):
            store.status("ref")
        with pytest.raises(errors.NotFound):
            store.abort("ref")
        with store.writer("ref") as writer:
            assert writer.status().offset == 0
