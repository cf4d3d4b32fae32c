"""Unix sockets for a library that binds by itself.

grpc creates its socket with whatever the umask leaves and offers neither a mode nor a way to adopt a listener. So it
binds in a directory that only the owner can enter, and the finished socket is renamed to where clients look.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from moorage_sdk import errors
from moorage_ttrpc import sockets

MODE = 0o660
"""Who may use the socket is root on this host, so the group is the only thing that an operator can widen."""


class Mooring:
    """One socket on its way to ``path``: bind ``staged``, then ``publish``, and ``remove`` at the end."""

    def __init__(self, path: Path, uid: int, gid: int) -> None:
        self.path = path
        self._uid = uid
        self._gid = gid
        self._stage: Path | None = None
        self._identity: tuple[int, int] | None = None

    def stage(self) -> Path:
        """Where to bind.

        Raises errors.FailedPrecondition when somebody listens at the path, when it is no socket, and for what the host
        refuses.
        """
        try:
            _parent(self.path.parent)
            self._clear()
            self._stage = Path(tempfile.mkdtemp(prefix=".", dir=self.path.parent))
        except OSError as error:
            raise errors.FailedPrecondition(
                f'socket "{self.path}": {error.strerror}: failed precondition',
                hint=f"let uid {os.geteuid()} write in its directory, or choose another address",
            ) from error
        return self._stage / "s"

    def _clear(self) -> None:
        if self.path.is_socket() and not sockets.alive(self.path):
            self.path.unlink(missing_ok=True)
        elif os.path.lexists(self.path):
            raise errors.FailedPrecondition(f'socket "{self.path}": address in use: failed precondition')

    def publish(self) -> None:
        """Give the bound socket its owner and mode, then its name."""
        if self._stage is None:
            raise errors.Internal(f'socket "{self.path}": published before it was staged')
        bound = self._stage / "s"
        os.chown(bound, self._uid, self._gid)
        bound.chmod(MODE)
        self._identity = sockets.identity(bound)
        bound.rename(self.path)
        self.unstage()

    def unstage(self) -> None:
        """Remove the private directory with what is left in it. Calling it again does nothing."""
        if self._stage is not None:
            with contextlib.suppress(FileNotFoundError):
                (self._stage / "s").unlink(missing_ok=True)
                self._stage.rmdir()
            self._stage = None

    def remove(self) -> None:
        """Unlink the socket, unless another daemon's lies there by now."""
        self.unstage()
        if self._identity is not None:
            sockets.remove(self.path, self._identity)
            self._identity = None


def _parent(folder: Path) -> None:
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        each.chmod(0o711)  # whatever the umask: others may pass through, as through the state directory
