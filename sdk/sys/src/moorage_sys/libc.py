"""Calls into the C library that turn a failure into ``OSError``.

System calls newer than 2018 have the same number on every architecture (``include/uapi/asm-generic/unistd.h``).
"""

from __future__ import annotations

import os
from typing import Any

from moorage_sdk import errors
from moorage_sys._libc import ffi

lib: Any = ffi.dlopen(None)

OPEN_TREE = 428
MOVE_MOUNT = 429
FSOPEN = 430
FSCONFIG = 431
FSMOUNT = 432
CLOSE_RANGE = 436
OPENAT2 = 437
MOUNT_SETATTR = 442

Path = str | bytes | os.PathLike[str]


def text(path: Path | None) -> Any:
    """A C string of a path, or NULL for None. Raises InvalidArgument for an embedded NUL, which C would cut off at."""
    if path is None:
        return ffi.NULL
    encoded = os.fsencode(path)
    if b"\0" in encoded:
        # Not Python's ValueError: such paths come from requests, where a NUL is as good as any other character.
        raise errors.InvalidArgument(f"path {os.fsdecode(encoded)!r}: embedded null byte: invalid argument")
    return ffi.from_buffer("char[]", encoded + b"\0")


def address(pointer: Any) -> int:
    """The address of a buffer, as ``syscall`` wants it. The caller keeps the buffer alive across the call."""
    return int(ffi.cast("uintptr_t", pointer))


def buffer(data: bytes) -> Any:
    """A mutable C buffer that holds ``data``."""
    return ffi.new("char[]", data)


def content(pointer: Any, size: int) -> bytes:
    """A copy of ``size`` bytes of a C buffer."""
    return bytes(ffi.buffer(pointer, size))


def failure(*paths: Path | None) -> OSError:
    """The error of the call just made, naming the paths that it was about."""
    named = [os.fsdecode(path) for path in paths if path is not None]
    code = ffi.errno
    if not named:
        return OSError(code, os.strerror(code))
    if len(named) == 1:
        return OSError(code, os.strerror(code), named[0])
    return OSError(code, os.strerror(code), named[0], None, named[1])


def check(result: int, *paths: Path | None) -> int:
    """Return ``result`` of a call, or raise the ``OSError`` that errno tells when it is negative."""
    if result < 0:
        raise failure(*paths)
    return result


def syscall(number: int, *arguments: int) -> int:
    """Make a system call of up to six integers (addresses included). Raises OSError."""
    mask = (1 << (8 * ffi.sizeof("uintptr_t"))) - 1
    filled = [argument & mask for argument in arguments] + [0] * (6 - len(arguments))
    return check(int(lib.syscall(number, *filled)))


def open_library(name: str) -> Any:
    """Load a shared library by its name, for as long as the result lives; None when there is none."""
    try:
        return ffi.dlopen(name)
    except OSError:
        return None
