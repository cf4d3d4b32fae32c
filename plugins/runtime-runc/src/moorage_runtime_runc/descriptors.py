"""Owning file descriptors: each is closed once, whatever happens between opening and handing over."""

from __future__ import annotations

import os
from collections.abc import Iterable


class Descriptors:
    """A set of descriptors that belong to the holder. As a context manager it closes what is left in it."""

    def __init__(self, owned: Iterable[int] = ()) -> None:
        self._owned = set(owned)

    def __enter__(self) -> Descriptors:
        return self

    def __exit__(self, *_: object) -> None:
        self.close_all()

    def __contains__(self, fd: int) -> bool:
        return fd in self._owned

    def __len__(self) -> int:
        return len(self._owned)

    def add(self, fd: int) -> int:
        self._owned.add(fd)
        return fd

    def pipe(self) -> tuple[int, int]:
        """A pipe, read end first."""
        ends = os.pipe2(os.O_CLOEXEC)
        self._owned.update(ends)
        return ends

    def take(self, fd: int) -> int:
        """Hand ``fd`` over: somebody else closes it from now on."""
        self._owned.remove(fd)
        return fd

    def close(self, fd: int) -> None:
        """Close one of them, if it still is."""
        if fd in self._owned:
            self._owned.remove(fd)
            os.close(fd)

    def close_all(self) -> None:
        while self._owned:
            os.close(self._owned.pop())
