"""Mounting and unmounting what ``moorage_sdk.mounts.Mount`` describes.

Semantics are those of ``core/mount/mount_linux.go``, ``mount_unix.go`` and ``temp.go`` in containerd v2.3.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from moorage_sdk.mounts import Mount
from moorage_sys import libc, mount_calls, mount_options, mountinfo, paths

MNT_DETACH = 2
UMOUNT_NOFOLLOW = 8


def mount(what: Mount, target: libc.Path) -> None:
    """Perform one mount on ``target``; a relative ``what.target`` is resolved inside it without leaving it.

    Raises OSError naming source and target, errors.InvalidArgument for options that make no sense.
    """
    if not what.target:
        mount_calls.perform(what, os.fsdecode(target))
        return
    root = os.open(target, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        place = paths.open_in_root(root, what.target)
        try:
            mount_calls.perform(what, f"/proc/self/fd/{place}")
        finally:
            os.close(place)
    finally:
        os.close(root)


def mount_all(what: Sequence[Mount], target: libc.Path) -> None:
    """Perform mounts in order; when one fails, those made before it are undone. Raises as ``mount``."""
    for done, one in enumerate(what):
        try:
            mount(one, target)
        except BaseException:
            unmount_mounts(what[:done], target)
            raise


def unmount(target: libc.Path, *, lazy: bool = True) -> bool:
    """Take the topmost mount off ``target``: whether there was one.

    A busy mount is detached from the tree at once when ``lazy``, and goes when its last user does. Raises OSError.
    """
    for flags in (UMOUNT_NOFOLLOW, UMOUNT_NOFOLLOW | MNT_DETACH):
        if libc.lib.umount2(libc.text(target), flags) == 0:
            return True
        error = libc.failure(target)
        if error.errno in (errno.EINVAL, errno.ENOENT):
            return False
        if error.errno != errno.EBUSY or not lazy:
            raise error
    raise error


def unmount_all(target: libc.Path, *, lazy: bool = True) -> None:
    """Take every mount stacked on ``target`` off it. Not a mount point, or absent, is fine. Raises OSError."""
    while unmount(target, lazy=lazy):
        continue


def unmount_mounts(what: Sequence[Mount], target: libc.Path, *, lazy: bool = True) -> None:
    """Undo ``mount_all``, last first. All are tried; raises the first OSError afterwards."""
    failed: OSError | None = None
    for one in reversed(what):
        try:
            with ExitStack() as stack:
                unmount_all(_place(one, target, stack), lazy=lazy)
        except FileNotFoundError:
            continue
        except OSError as error:
            failed = failed or error
    if failed:
        raise failed


def unmount_recursive(target: libc.Path, *, lazy: bool = True) -> None:
    """Take off everything mounted at and beneath ``target``, deepest first. Raises the first OSError when done."""
    try:
        resolved = os.path.realpath(os.fsdecode(target), strict=True)
    except FileNotFoundError:
        return
    points = {entry.mount_point for entry in mountinfo.beneath(resolved)}
    failed: OSError | None = None
    for point in sorted(points, key=len, reverse=True):
        try:
            unmount_all(point, lazy=lazy)
        except OSError as error:
            failed = failed or error
    if failed:
        raise failed


def make_private(target: libc.Path = "/") -> None:
    """Stop mounts beneath ``target`` from propagating to and from other namespaces. Raises OSError."""
    mount_calls.call("", os.fsdecode(target), "", mount_options.MS_PRIVATE | mount_options.MS_REC, "")


@contextmanager
def temporary(what: Sequence[Mount], *, read_only: bool = False, folder: Path | None = None) -> Iterator[Path]:
    """The mounts on a fresh directory for the length of a with block.

    ``volatile`` is left out, since overlay refuses to reuse the directories of a volatile mount. The directory is
    removed only when it is empty: were the unmount to fail, recursion would delete what is mounted.
    """
    import tempfile  # see userns_maps.open_mapped

    wanted = [without_volatile(one) for one in what]
    if read_only:
        wanted = [as_read_only(one) for one in wanted]
    place = Path(tempfile.mkdtemp(prefix="moorage-mount-", dir=folder))
    try:
        mount_all(wanted, place)
        try:
            yield place
        finally:
            unmount_mounts(wanted, place)
    finally:
        place.rmdir()


def without_volatile(what: Mount) -> Mount:
    if what.type != "overlay":
        return what
    options = tuple(option for option in what.options if option not in ("volatile", "fsync=volatile"))
    return Mount(what.type, what.source, options, what.target)


def as_read_only(what: Mount) -> Mount:
    """The same mount for reading: an overlay gets its upper directory as the newest lower one."""
    if what.type != "overlay":
        kept = [option for option in what.options if option not in ("rw", "ro")]
        return Mount(what.type, what.source, (*kept, "ro"), what.target)
    upper = mount_options.value(what.options, "upperdir")
    skipped = ("upperdir=", "workdir=", "uidmap=", "gidmap=")
    options = [option for option in what.options if not option.startswith(skipped)]
    if upper:
        options = [
            f"lowerdir={upper}:{option.removeprefix('lowerdir=')}" if option.startswith("lowerdir=") else option
            for option in options
        ]
    return Mount(what.type, what.source, tuple(options), what.target)


def _place(what: Mount, target: libc.Path, stack: ExitStack) -> str:
    """Where ``what`` was mounted. By its real name: a descriptor of a mount keeps the mount busy."""
    if not what.target:
        return os.fsdecode(target)
    root = os.open(target, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fd = paths.open_in_root(root, what.target)
    finally:
        os.close(root)
    try:
        return paths.real_path(fd)
    finally:
        os.close(fd)
