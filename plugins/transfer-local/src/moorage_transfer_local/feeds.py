"""Feeds: a layer's way to its unpacker while it is still being downloaded.

Whether a layer can be streamed is only known when its first byte arrives: its parent must be there by then. So the
unpacking side *binds* a feed when it is ready, the downloading side *begins* it, and whoever comes too late finds out.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from moorage_sdk import errors
from moorage_sdk.descriptors import Descriptor
from moorage_sdk.differs import Application

Open = Callable[[], Application | None]
"""Starts an unpacker; None when there is none to spare."""


class Feed:
    """One layer's. Used by one downloading and one unpacking thread, the latter after the former is done."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: Open | None = None
        self._begun = False
        self._application: Application | None = None
        self._failure: errors.Error | None = None
        self.touched = False
        """Whether bytes went to the unpacker: its directory is not empty any more."""

    def bind(self, open: Open) -> None:
        """From now on the layer can be streamed; no effect once the download has begun."""
        with self._lock:
            if not self._begun:
                self._open = open

    def begin(self) -> None:
        """The download begins at the first byte."""
        with self._lock:
            self._begun, open = True, self._open
        if open is None:
            return
        try:
            self._application = open()
            self.touched = self._application is not None
        except errors.Unimplemented:
            # Applying it later says the same, or another differ can do it.
            self._application = None

    @property
    def streaming(self) -> bool:
        """Whether an unpacker has the layer in hand."""
        return self._application is not None

    def skip(self) -> None:
        """The download does not begin at the first byte: nothing can be streamed."""
        with self._lock:
            self._begun = True

    def write(self, data: bytes) -> None:
        """The next bytes. What the unpacker finds wrong with them is kept until their digest is known.

        Bytes that are not the layer's at all must be reported as the registry's fault, and fetched again. Raises
        errors.ResourceExhausted at once: the disk does not get emptier.
        """
        if self._application is None or self._failure is not None:
            return
        try:
            self._application.write(data)
        except (errors.DataLoss, errors.InvalidArgument) as error:
            self._failure = error

    def spoil(self) -> None:
        """The bytes so far were wrong; the layer has to be unpacked from the store."""
        self.close()
        self._failure = None

    def finish(self) -> Descriptor | None:
        """All bytes were right: what the unpacker made of them, None when it has not seen them all.

        Raises as Differ.apply.
        """
        if self._application is None:
            return None
        with self._application as application:
            self._application = None
            if self._failure is not None:
                raise self._failure
            return application.finish()

    def close(self) -> None:
        """Stop the unpacker. Calling it again does nothing."""
        if self._application is not None:
            self._application.close()
            self._application = None
