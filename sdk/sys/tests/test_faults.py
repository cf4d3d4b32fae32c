import errno
import os

import pytest

from moorage_sdk import errors
from moorage_sys import faults


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        (errno.ENOSPC, errors.ResourceExhausted),
        (errno.EROFS, errors.FailedPrecondition),
        (errno.EACCES, errors.FailedPrecondition),
        (errno.EPERM, errors.FailedPrecondition),
        (errno.EIO, errors.DataLoss),
        (errno.EBUSY, errors.Internal),
    ],
)
def test_classes(code: int, wanted: type[errors.Error]) -> None:
    with pytest.raises(wanted, match=r'blob "x": "/some/file" ') as caught, faults.translated('blob "x"'):
        raise OSError(code, os.strerror(code), "/some/file")
    assert isinstance(caught.value.__cause__, OSError)


def test_other_errors_pass() -> None:
    with pytest.raises(errors.NotFound), faults.translated("blob"):
        raise errors.NotFound("blob: not found")


def test_what_the_host_refuses_says_where_to_look() -> None:
    error = faults.translate(PermissionError(errno.EPERM, "Operation not permitted", "/x"), 'ingest "a"')
    assert str(error).startswith('ingest "a": "/x" operation not permitted (the host refuses it to the daemon; look at')


def test_a_renaming_names_both_ends() -> None:
    """Either directory may be the one that refuses."""
    error = faults.translate(OSError(errno.EBUSY, "Busy", "/a", None, "/b"), "blob")
    assert str(error) == 'blob: "/a" -> "/b" busy'


def test_full_disk_says_what_to_do() -> None:
    error = faults.translate(OSError(errno.ENOSPC, "No space left on device"), 'ingest "a"')
    assert str(error) == 'ingest "a": no space left on device (free some space)'
