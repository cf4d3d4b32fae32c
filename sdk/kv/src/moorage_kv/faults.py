"""From errors of LMDB to ours, and which of them leave the store usable."""

from __future__ import annotations

import errno
import os

import lmdb

from moorage_sdk import errors

# LMDB answers a short write, which is how a full tmpfs shows, with EIO. Below this many free bytes we believe that.
_NEARLY_FULL = 1 << 20


def translate(error: lmdb.Error, path: str) -> errors.Error:
    """The error to raise for ``error`` of the store at ``path``. ``Unavailable`` means that the store must latch."""
    if isinstance(error, (lmdb.MapFullError, lmdb.TxnFullError, lmdb.ReadersFullError)):
        return errors.ResourceExhausted(f'store "{path}": {error}')
    if isinstance(error, lmdb.BadValsizeError):
        return errors.InvalidArgument(f'store "{path}": empty key or oversized value')
    if _disk_full(error, path):
        return errors.ResourceExhausted(f'store "{path}": no space left on device')
    return errors.Unavailable(f'store "{path}": failed: {error}', hint="restart the daemon")


def _disk_full(error: lmdb.Error, path: str) -> bool:
    code = getattr(error, "code", 0)
    if code in (errno.ENOSPC, errno.EDQUOT) or isinstance(error, lmdb.DiskError):
        return True
    if code != errno.EIO and os.strerror(errno.EIO) not in str(error):
        return False
    space = os.statvfs(path)
    return space.f_bavail * space.f_frsize < _NEARLY_FULL
