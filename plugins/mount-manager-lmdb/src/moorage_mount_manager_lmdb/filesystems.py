"""The transformation ``mkfs/``: a file with a file system in it (``core/mount/manager/mkfs.go``).

Options, taken out of the mount's: ``X-containerd.mkfs.size`` (bytes, or with a unit of 1024 such as ``64MiB``; needed),
``.fs`` (ext2, ext3, ext4 or xfs; ext4 when left out), ``.uuid``. A file that exists is taken as it is.

The file gets its name when the file system in it is on disk, so that whatever dies meanwhile leaves no half-made one.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import subprocess
import threading
import uuid
from dataclasses import dataclass, replace

from moorage_mount_manager_lmdb.roots import Roots
from moorage_sdk import errors
from moorage_sdk.mounts import Mount

PREFIX = "X-containerd.mkfs."
KINDS = ("ext2", "ext3", "ext4", "xfs")
PATIENCE = 600.0
"""Seconds for mkfs; the files are sparse and the file systems laid out lazily, so that it rarely takes one."""

_PATH = "/usr/sbin:/sbin:/usr/bin:/bin"
_SIZE = re.compile(r"(\d{1,18})(?:\.(\d{1,9}))? ?([kmgtp]?)(?:i?b)?", re.IGNORECASE | re.ASCII)
_making = threading.Lock()


@dataclass(frozen=True)
class FileSystem:
    """``size`` in bytes."""

    size: int
    kind: str = "ext4"
    uuid: str = ""

    def command(self, program: str, file: str) -> list[str]:
        """How to make it in ``file``."""
        naming = ["-m", f"uuid={self.uuid}"] if self.kind == "xfs" else ["-U", self.uuid]
        return [program, "-q", *(naming if self.uuid else ()), file]


def parse(options: tuple[str, ...]) -> FileSystem:
    """What the options with ``PREFIX`` ask for. Raises errors.InvalidArgument."""
    told: dict[str, str] = {}
    for option in options:
        if option.startswith(PREFIX):
            key, _, value = option.removeprefix(PREFIX).partition("=")
            if key not in ("size", "fs", "uuid"):
                raise errors.InvalidArgument(f'unknown mount option "{option}": invalid argument')
            told[key] = value
    if told.get("fs", "ext4") not in KINDS:
        raise errors.InvalidArgument(f'unsupported filesystem "{told["fs"]}": invalid argument')
    size = _size(told.get("size", ""))
    return FileSystem(size, told.get("fs", "ext4"), _uuid(told["uuid"]) if told.get("uuid") else "")


def transform(mount: Mount, roots: Roots) -> Mount:
    """Make the file if there is none; the mount without the options.

    Raises errors.InvalidArgument, errors.Unimplemented beneath no root, errors.FailedPrecondition without the program,
    errors.Internal with its words, OSError.
    """
    with roots.parent(mount.source, "mkfs") as (parent, name):
        wanted = parse(mount.options)
        # One at a time: two that want the same file would otherwise both make it.
        with _making:
            if not _exists(parent, name, mount.source):
                make(wanted, parent, name)
    return replace(mount, options=tuple(option for option in mount.options if not option.startswith(PREFIX)))


def make(wanted: FileSystem, parent: int, name: str) -> None:
    """Make the file ``name`` in the opened folder. Raises as ``transform``."""
    program = shutil.which(f"mkfs.{wanted.kind}", path=_PATH)
    if program is None:
        raise errors.FailedPrecondition(
            f'program "mkfs.{wanted.kind}": not found: failed precondition',
            hint=f"install {'xfsprogs' if wanted.kind == 'xfs' else 'e2fsprogs'}",
        )
    draft = _draft(name)
    _forget(parent, draft)  # of a daemon that died
    fd = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640, dir_fd=parent)
    try:
        os.truncate(fd, wanted.size)
        _run(wanted.command(program, f"/proc/self/fd/{fd}"), fd)
        os.fsync(fd)
        os.link(draft, name, src_dir_fd=parent, dst_dir_fd=parent, follow_symlinks=False)
        os.fsync(parent)
    finally:
        os.close(fd)
        _forget(parent, draft)


def _run(command: list[str], fd: int) -> None:
    environment = {"PATH": _PATH, "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, pass_fds=(fd,), env=environment, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired as error:
        raise errors.DeadlineExceeded(
            f'program "{command[0]}": not done within {PATIENCE:g} s: deadline exceeded'
        ) from error
    if done.returncode:
        said = (done.stderr or done.stdout).decode("utf-8", "replace").strip()[-500:]
        raise errors.Internal(f'program "{command[0]}": exit status {done.returncode}: {said}: internal')


def _exists(parent: int, name: str, path: str) -> bool:
    try:
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(found.st_mode):
        raise errors.FailedPrecondition(f'file "{path}": no regular file: failed precondition')
    return True


def _draft(name: str) -> str:
    return f".{name}.mkfs"


def _forget(parent: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=parent)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise


def _size(text: str) -> int:
    match = _SIZE.fullmatch(text)
    size = _bytes(match[1], match[2] or "", match[3].lower()) if match else 0
    if not text or (match and not size):
        raise errors.InvalidArgument("mkfs requires mkfs.size option: invalid argument")
    if not 0 < size < 1 << 63:
        raise errors.InvalidArgument(f'bad option size: invalid size "{text}": invalid argument')
    return size


def _bytes(whole: str, fraction: str, unit: str) -> int:
    factor = 1 << 10 * " kmgtp".index(unit or " ")
    return int(whole) * factor + int(fraction or 0) * factor // int(10 ** len(fraction))


def _uuid(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise errors.InvalidArgument(f'bad option uuid: "{text}" is none: invalid argument') from None
