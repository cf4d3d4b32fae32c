"""Directories with explicit modes, whatever the umask and whatever was there before."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from moorage_sdk import errors

_HINTS = {errno.EROFS: "mount it writable, or name another one", errno.ENOSPC: "free some space"}


def exact(path: Path, mode: int) -> Path:
    """Make a directory, or bring an existing one to ``mode``. Parents are made 0711 and otherwise left alone.

    Raises errors.FailedPrecondition for a file in its place, errors.PermissionDenied and the like for what the host
    refuses. The owner may be another one (a rootless set-up), then the mode stays.
    """
    _make(path, mode)
    try:
        path.chmod(mode)
    except PermissionError:
        if stat.S_IMODE(path.stat().st_mode) & 0o022:
            raise errors.PermissionDenied(
                f'directory "{path}": writable by others and not ours', hint="give it to the daemon's user"
            ) from None
    except OSError as error:  # a read-only file system
        raise _refusal(path, error) from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise errors.PermissionDenied(
            f'directory "{path}": not writable by uid {os.geteuid()}',
            hint="give it to that user, or name another one; lsattr -d tells whether it is immutable",
        )
    return path


def private(path: Path) -> Path:
    """A plugin's own directory: 0700, but one that its plugin opened for passage (0711) stays so.

    Raises as ``exact``, but whether a plugin can write there, it finds out itself.
    """
    _make(path, 0o700)
    if stat.S_IMODE(path.stat().st_mode) & 0o066:
        try:
            path.chmod(0o700)
        except PermissionError as error:
            raise errors.PermissionDenied(
                f'directory "{path}": open to others: {os.strerror(error.errno or 0)}',
                hint=f"give it to uid {os.geteuid()}, or close it",
            ) from error
    return path


def missing(path: Path) -> list[Path]:
    """Those of the path and its parents that ``exact`` would have to make, the outermost first."""
    return [each for each in (*reversed(path.parents), path) if not os.path.lexists(each)]


def _make(path: Path, mode: int) -> None:
    for parent in reversed(path.parents):
        _one(parent, 0o711)
    _one(path, mode)


def _one(path: Path, mode: int) -> None:
    try:
        path.mkdir(mode)
    except FileExistsError:
        if not path.is_dir():
            raise errors.FailedPrecondition(
                f'directory "{path}": a file is in its place', hint="move it away, or name another one"
            ) from None
    except PermissionError as error:
        raise errors.PermissionDenied(
            f'directory "{path}": {os.strerror(error.errno or 0)}',
            hint=f'let uid {os.geteuid()} write in "{path.parent}", or name another one',
        ) from error
    except OSError as error:
        if error.errno != errno.EROFS or not path.is_dir():  # which is said before that the directory exists
            raise _refusal(path, error) from error
    else:
        path.chmod(mode)


def _refusal(path: Path, error: OSError) -> errors.FailedPrecondition:
    hint = _HINTS.get(error.errno or 0, "name another one")
    return errors.FailedPrecondition(f'directory "{path}": {os.strerror(error.errno or 0)}', hint=hint)
