"""From ``OSError`` to the error classes that cross slots."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from moorage_sdk import errors

_CLASSES: dict[int, type[errors.Error]] = {
    errno.ENOSPC: errors.ResourceExhausted,
    errno.EDQUOT: errors.ResourceExhausted,
    errno.EMFILE: errors.ResourceExhausted,
    errno.ENFILE: errors.ResourceExhausted,
    errno.ENOMEM: errors.ResourceExhausted,
    errno.EFBIG: errors.ResourceExhausted,
    errno.EMLINK: errors.ResourceExhausted,
    errno.EROFS: errors.FailedPrecondition,
    errno.EACCES: errors.FailedPrecondition,  # PermissionDenied would say that the caller may not
    errno.EPERM: errors.FailedPrecondition,
    errno.EIO: errors.DataLoss,
    errno.EUCLEAN: errors.DataLoss,
    errno.ENAMETOOLONG: errors.InvalidArgument,
    errno.EOPNOTSUPP: errors.FailedPrecondition,
}
_REFUSED = "the host refuses it to the daemon; look at owner, mode and lsattr"
_HINTS = {
    errno.ENOSPC: "free some space",
    errno.EROFS: "the file system is mounted read-only",
    errno.EACCES: _REFUSED,
    errno.EPERM: _REFUSED,
}


def translate(error: OSError, subject: str) -> errors.Error:
    """The error that says what ``error`` means for ``subject``; what has no better class is ``errors.Internal``."""
    code = error.errno or 0
    names = [name for name in (error.filename, error.filename2) if isinstance(name, (str, bytes))]
    where = " ->".join(f' "{os.fsdecode(name)}"' for name in names)
    text = (error.strerror or str(error)).lower()
    return _CLASSES.get(code, errors.Internal)(f"{subject}:{where} {text}", hint=_HINTS.get(code, ""))


@contextmanager
def translated(subject: str) -> Iterator[None]:
    """Raise what ``translate`` gives for an ``OSError`` that leaves the with block."""
    try:
        yield
    except OSError as error:
        raise translate(error, subject) from error
