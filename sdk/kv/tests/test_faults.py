import errno
import os
from pathlib import Path

import lmdb
import pytest

from moorage_kv import faults
from moorage_sdk import errors


def error_of(kind: type[lmdb.Error], code: int) -> lmdb.Error:
    error = kind("mdb_txn_commit")
    error.code = code  # type: ignore[misc]  # as the C extension sets it
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (lmdb.MapFullError("mdb_put"), errors.ResourceExhausted),
        (lmdb.ReadersFullError("mdb_txn_begin"), errors.ResourceExhausted),
        (lmdb.BadValsizeError("mdb_put"), errors.InvalidArgument),
        (error_of(lmdb.Error, errno.ENOSPC), errors.ResourceExhausted),
        (error_of(lmdb.Error, errno.EIO), errors.Unavailable),
        (lmdb.PanicError("mdb_txn_begin"), errors.Unavailable),
    ],
)
def test_every_error_has_a_class(error: lmdb.Error, expected: type[errors.Error], tmp_path: Path) -> None:
    assert type(faults.translate(error, str(tmp_path))) is expected


def test_eio_on_a_full_disk_is_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = os.statvfs_result((4096, 4096, 1000, 0, 0, 10, 10, 10, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda path: full)
    verdict = faults.translate(error_of(lmdb.Error, errno.EIO), str(tmp_path))
    assert isinstance(verdict, errors.ResourceExhausted)
    assert "no space left" in str(verdict)
