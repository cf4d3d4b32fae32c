"""Keys of any length in a store whose keys end at 511 bytes.

A key of up to ``LIMIT`` bytes is stored as it is. A longer one is stored as its first ``LIMIT`` bytes and the SHA-256
of the whole, with the whole in front of the value. The two cannot be confused: only the second kind is longer than
``LIMIT``. Order is right between different prefixes; the rows that share one must be sorted by whoever scans them.
"""

from __future__ import annotations

import hashlib
import struct

LIMIT = 400
_LENGTH = struct.Struct(">I")


def stored(key: bytes) -> bytes:
    """The key under which LMDB keeps ``key``, at most 432 bytes."""
    return key if len(key) <= LIMIT else key[:LIMIT] + hashlib.sha256(key).digest()


def pack(key: bytes, value: bytes) -> bytes:
    """The value that is stored for ``key``."""
    return value if len(key) <= LIMIT else _LENGTH.pack(len(key)) + key + value


def unpack(stored_key: bytes, stored_value: bytes) -> tuple[bytes, bytes]:
    """The inverse of ``stored`` and ``pack``: the whole key and the value."""
    if len(stored_key) <= LIMIT:
        return stored_key, stored_value
    end = _LENGTH.size + _LENGTH.unpack_from(stored_value)[0]
    return stored_value[_LENGTH.size : end], stored_value[end:]


def group(stored_key: bytes) -> bytes:
    """What rows have in common whose order LMDB does not know: the prefix of a long key, else the key itself."""
    return stored_key[:LIMIT] if len(stored_key) > LIMIT else stored_key
