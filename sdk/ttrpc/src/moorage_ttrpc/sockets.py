"""Unix sockets with a path and an exact mode, never abstract: those can be reached from any container that shares our
network namespace (CVE-2020-15257)."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from pathlib import Path

from moorage_sdk import errors

MAX_PATH = 107
"""Most bytes of a path in struct sockaddr_un, without its closing NUL (unix(7))."""


def path_of(address: str) -> Path:
    """The path in ``unix:///run/x.sock`` or a plain path. Raises InvalidArgument for any other address."""
    text = address.removeprefix("unix://")
    if not text or text.startswith("@") or "\0" in text or "://" in text:
        raise errors.InvalidArgument(f'address "{address}": not the path of a unix socket')
    return Path(text)


def listen(path: Path, mode: int = 0o600) -> socket.socket:
    """A listening socket at ``path``, never accessible to more than ``mode`` says, whatever the umask.

    A socket file that nobody listens on is replaced. Raises AlreadyExists if somebody does or if something other than
    a socket lies there, InvalidArgument if the path is too long, OSError as bind(2).
    """
    _fits(path)
    _clear(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        os.fchmod(listener.fileno(), mode)  # bind(2) gives the file the socket's mode, minus the umask
        listener.bind(os.fspath(path))
        path.chmod(mode)  # a umask may have taken too much
        listener.listen(1024)
    except BaseException:
        listener.close()
        raise
    return listener


def alive(path: Path) -> bool:
    """Whether somebody listens at ``path``."""
    _fits(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(os.fspath(path))
        except BlockingIOError:  # the backlog is full, so there is a listener
            return True
        except (FileNotFoundError, ConnectionRefusedError):
            return False
    return True


def identity(path: Path) -> tuple[int, int]:
    """Device and inode of the socket file, to know it again. Raises OSError."""
    found = path.lstat()
    return found.st_dev, found.st_ino


def remove(path: Path, known: tuple[int, int]) -> None:
    """Unlink ``path`` if it is still the file of that identity, and not a successor's."""
    with contextlib.suppress(FileNotFoundError):
        if identity(path) == known:
            path.unlink()


def _clear(path: Path) -> None:
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(kind):
        raise errors.AlreadyExists(f'socket "{path}": something that is not a socket lies there')
    if alive(path):
        raise errors.AlreadyExists(f'socket "{path}": another process listens there')
    path.unlink(missing_ok=True)


def _fits(path: Path) -> None:
    if len(os.fsencode(path)) > MAX_PATH:
        raise errors.InvalidArgument(f'socket "{path}": longer than {MAX_PATH} bytes', hint="use a shorter directory")
