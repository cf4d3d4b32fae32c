import errno
import os
from pathlib import Path

import pytest

from moorage_content_local.stores import LocalStore
from moorage_sdk import digests, errors


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


def test_full_disk_keeps_offset_and_digest_true(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.pwrite

    def full(fd: int, data: memoryview, offset: int) -> int:
        if offset >= 10:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(fd, data[: 10 - offset], offset)

    writer = store.writer("ref")
    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(errors.ResourceExhausted, match="no space left"):
        writer.write(bytes(range(20)))
    monkeypatch.undo()
    assert writer.status().offset == store.status("ref").offset == 10
    assert writer.digest() == digests.of(bytes(range(10)))
    writer.write(bytes(range(10, 20)))
    assert writer.commit(20) == digests.of(bytes(range(20)))


def test_failed_sync_drops_the_ingest_instead_of_trusting_a_second_one(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    writer = store.writer("ref")
    writer.write(b"data")
    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(errors.DataLoss):
        writer.commit()
    monkeypatch.undo()
    with pytest.raises(errors.NotFound):
        store.status("ref")
    store.writer("ref").close()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_tells_only_when_synced_that_it_is_full_is_not_damaged(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def full(fd: int) -> None:
        raise OSError(code, os.strerror(code))

    writer = store.writer("ref")
    writer.write(b"data")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(errors.ResourceExhausted, match="dropped"):
        writer.commit()
    monkeypatch.undo()
    assert store.statuses() == []


def test_blob_is_read_only_and_dated_by_its_commit(store: LocalStore, tmp_path: Path) -> None:
    writer = store.writer("ref")
    writer.write(b"data")
    os.utime(next((tmp_path / "ingest").glob("*/data")), (0, 0))
    digest = writer.commit()
    status = (tmp_path / "blobs/sha256" / digest.removeprefix("sha256:")).stat()
    assert status.st_mode & 0o777 == 0o444
    assert status.st_mtime > 0


def test_bytes_that_vanish_beneath_a_writer_are_data_loss(store: LocalStore, tmp_path: Path) -> None:
    writer = store.writer("ref")
    writer.write(bytes(100))
    os.truncate(next((tmp_path / "ingest").glob("*/data")), 10)
    with pytest.raises(errors.DataLoss):
        writer.truncate(50)
    with pytest.raises(errors.DataLoss):
        writer.commit()
