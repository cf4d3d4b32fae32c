"""What every content store must do. After ``core/content/testsuite`` of containerd v2.3, and what it leaves open."""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Mapping

import pytest

from moorage_sdk import digests, errors, labels
from moorage_sdk.content import ContentStore, Info, Writer
from moorage_testkit.suites.blobs import check_blob, make_bytes, put, read, span
from moorage_testkit.suites.ingests import IngestSuite

MALFORMED = (
    "sha256:", "sha256:../../etc/passwd", "sha256:" + "A" * 64, "md5:" + "a" * 32, "../x:" + "a" * 64,
    "sha256:" + "a" * 63, "sha256:" + "a" * 65, "sha512:" + "a" * 64, "sha256:" + "a" * 63 + "\n", "a" * 64,
)  # fmt: skip
"""Digests that are none."""


class ContentSuite(IngestSuite):
    """Provide a fixture ``store``. ``holds``: an open reader keeps the bytes when the blob is deleted."""

    holds = True

    def test_reads_by_position(self, store: ContentStore) -> None:
        data = make_bytes(5000)
        with store.reader(put(store, data)) as reader:
            assert reader.size == 5000
            assert reader.read_at(0, 1 << 20) == data
            assert reader.read_at(4000, 100) == data[4000:4100]
            assert reader.read_at(4990, 100) == data[4990:]
            assert reader.read_at(5000, 10) == b""
            with pytest.raises(errors.OutOfRange):
                reader.read_at(5001, 1)

    def test_descriptor_is_that_of_the_bytes(self, store: ContentStore) -> None:
        data = make_bytes(5000)
        with store.reader(put(store, data)) as reader:
            if (fd := reader.fileno()) < 0:
                pytest.skip("this store has no descriptors")
            with open(fd, "rb", closefd=False) as file:
                assert file.read() == data
        reader.close()

    def test_open_reader_outlives_deletion(self, store: ContentStore) -> None:
        data = make_bytes(5000)
        digest = put(store, data)
        with store.reader(digest) as reader:
            store.delete(digest)
            if not self.holds:
                with pytest.raises(errors.NotFound):
                    reader.read_at(0, 5000)
                return
            assert reader.read_at(0, 5000) == data

    def test_unknown_content_is_not_found(self, store: ContentStore) -> None:
        digest = digests.of(b"unknown")
        for call in (store.info, store.reader, store.delete):
            with pytest.raises(errors.NotFound):
                call(digest)
        with pytest.raises(errors.NotFound):
            store.status("unknown")
        with pytest.raises(errors.NotFound):
            store.abort("unknown")
        with pytest.raises(errors.NotFound):
            store.update(Info(digest, labels={"a": "b"}))

    @pytest.mark.parametrize("digest", ["", *MALFORMED])
    def test_malformed_digests_are_refused_everywhere(self, store: ContentStore, digest: str) -> None:
        for call in (store.info, store.reader, store.delete):
            with pytest.raises(errors.InvalidArgument):
                call(digest)
        with pytest.raises(errors.InvalidArgument):
            store.update(Info(digest))

    @pytest.mark.parametrize("digest", MALFORMED)
    def test_malformed_digests_are_not_expected(self, store: ContentStore, digest: str) -> None:
        with pytest.raises(errors.InvalidArgument):
            store.writer("ref", expected=digest)
        assert store.statuses() == []

    def test_walk_lists_blobs_by_digest(self, store: ContentStore) -> None:
        wanted = sorted(put(store, make_bytes(100, seed)) for seed in range(10))
        store.writer("unfinished").close()
        assert [info.digest for info in store.walk()] == wanted
        store.delete(wanted.pop(3))
        assert [info.digest for info in store.walk()] == wanted

    def test_blob_may_go_while_walking(self, store: ContentStore) -> None:
        wanted = sorted(put(store, make_bytes(100, seed)) for seed in range(4))
        walked = []
        for info in store.walk():
            walked.append(info.digest)
            if info.digest != wanted[-1]:
                store.delete(info.digest)
        assert walked == wanted

    def test_labels(self, store: ContentStore) -> None:
        data = make_bytes(100)
        digest = digests.of(data)
        if not self.keeps_labels:
            put(store, data)
            with pytest.raises(errors.Unimplemented):
                store.update(Info(digest, labels={"k1": "v1"}))
            return
        root = {labels.GC_ROOT: "2026-01-01T00:00:00Z"}
        with store.writer("ref") as writer:
            writer.write(data)
            with span() as committed:
                writer.commit(labels={"k1": "v1", "k2": "v2"} | root)
        check_blob(store, data, committed, labels={"k1": "v1", "k2": "v2"} | root)

        def update(wanted: Mapping[str, str], paths: tuple[str, ...], then: Mapping[str, str]) -> None:
            with span() as updated:
                told = store.update(Info(digest, labels=wanted), paths)
            assert told == store.info(digest)
            check_blob(store, data, committed, updated, then)

        update({"k1": "new", "k3": "v3"} | root, (), {"k1": "new", "k3": "v3"} | root)
        update({"k1": "v1"} | root, ("labels.k3", "labels.k1"), {"k1": "v1"} | root)
        update({"k1": "", "k4": "v4"}, ("labels.k1", "labels.k4"), {"k4": "v4"} | root)
        update({"only": "one"}, (), {"only": "one"})
        update({"another": "one"}, ("labels",), {"another": "one"})
        with pytest.raises(errors.InvalidArgument):
            store.update(Info(digest, size=5), ["size"])

    def test_same_blob_under_many_references_is_made_once(self, store: ContentStore) -> None:
        data = make_bytes(20_000)
        made, existing = [], []

        def bring(writer: Writer) -> None:
            try:
                made.append(writer.commit(len(data), digests.of(data)))
            except errors.AlreadyExists:
                existing.append(True)

        writers = [store.writer(f"ref-{index}") for index in range(8)]
        for writer in writers:
            writer.write(data)
        threads = [threading.Thread(target=bring, args=(writer,)) for writer in writers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert (len(made), len(existing)) == (1, 7)
        assert store.statuses() == []
        assert read(store, digests.of(data)) == data

    def test_threads_bring_different_blobs(self, store: ContentStore) -> None:
        blobs = [make_bytes(10_000, seed) for seed in range(16)]
        threads = [threading.Thread(target=put, args=(store, blob)) for blob in blobs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert {info.digest for info in store.walk()} == {digests.of(blob) for blob in blobs}

    def test_random_order_of_operations_loses_nothing(self, store: ContentStore) -> None:
        """Against a model in a few lines: what was committed is there, what was written so far resumes."""
        chance = random.Random(7)
        blobs: dict[str, bytes] = {}
        open_: dict[str, bytes] = {}
        for _ in range(300):
            ref = f"ref-{chance.randrange(5)}"
            with store.writer(ref) as writer:
                data = open_.pop(ref, b"")
                assert writer.digest() == "sha256:" + hashlib.sha256(data).hexdigest()
                piece = make_bytes(chance.randrange(2000), chance.randrange(10))
                writer.write(piece)
                if chance.random() < 0.4:
                    digest = digests.of(data + piece)
                    if digest in blobs:
                        with pytest.raises(errors.AlreadyExists):
                            writer.commit()
                    else:
                        blobs[writer.commit()] = data + piece
                else:
                    open_[ref] = data + piece
            if blobs and chance.random() < 0.2:
                gone = chance.choice(sorted(blobs))
                store.delete(gone)
                del blobs[gone]
        assert {info.digest: info.size for info in store.walk()} == {key: len(data) for key, data in blobs.items()}
        assert {status.ref: status.offset for status in store.statuses()} == {
            ref: len(data) for ref, data in open_.items()
        }
        for digest, data in blobs.items():
            assert read(store, digest) == data
