"""Mounting and unmounting what ``moorage_sdk.mounts.Mount`` describes.

Semantics are those of ``core/mount/mount_linux.go`` and ``mount_unix.go`` in containerd v2.3, with one difference in
the means: where the lower directories of an overlay are too long for one page, containerd changes the directory of a
thread; here each goes through the mount API by itself, or as ``/proc/self/fd/N`` where overlay lacks ``lowerdir+``.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from moorage_sdk import errors
from moorage_sdk.mounts import Mount
from moorage_sys import libc, loops, mount_api, mount_options, mountinfo, paths, userns_maps
from moorage_sys.mount_options import MS_BIND, MS_RDONLY, MS_REC, MS_REMOUNT, PROPAGATION, Parsed

MNT_DETACH = 2
UMOUNT_NOFOLLOW = 8
_DATA_LIMIT = os.sysconf("SC_PAGE_SIZE") - 512
_HELPERS = {"fuse.": "mount.fuse", "fuse3.": "mount.fuse3"}
_HELPER_PATH = "/usr/sbin:/sbin:/usr/bin:/bin"


def mount(what: Mount, target: libc.Path) -> None:
    """Perform one mount on ``target``; a relative ``what.target`` is resolved inside it without leaving it.

    Raises OSError naming source and target, errors.InvalidArgument for options that make no sense.
    """
    if not what.target:
        _mount_at(what, os.fsdecode(target))
        return
    root = os.open(target, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        place = paths.open_in_root(root, what.target)
        try:
            _mount_at(what, f"/proc/self/fd/{place}")
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
    _call("", os.fsdecode(target), "", mount_options.MS_PRIVATE | MS_REC, "")


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


def _mount_at(what: Mount, target: str) -> None:
    for prefix, helper in _HELPERS.items():
        if what.type.startswith(prefix):
            _mount_by_helper(helper, what, what.type.removeprefix(prefix), target)
            return
    parsed = mount_options.parse(what.options)
    with ExitStack() as stack:
        userns = _mapping(parsed, stack)
        if not parsed.flags & MS_REMOUNT or parsed.data:
            _mount_new(what, parsed, target, userns, stack)
        _change_propagation(parsed, target)
        if parsed.flags & (MS_BIND | MS_RDONLY) == MS_BIND | MS_RDONLY:
            # The kernel ignores all flags but MS_REC when it makes a bind mount; only a remount applies them.
            _call("", target, "", parsed.flags & ~PROPAGATION | MS_REMOUNT | _locked_flags(target), "")
        if userns is not None and what.type != "overlay":
            _map_in_place(target, userns)


def _mount_new(what: Mount, parsed: Parsed, target: str, userns: int | None, stack: ExitStack) -> None:
    source, flags = what.source, parsed.flags & ~PROPAGATION
    if parsed.loop:
        source, fd = loops.attach(source, read_only=bool(flags & MS_RDONLY), direct_io=parsed.direct_io)
        stack.callback(os.close, fd)
    data = parsed.data
    if what.type == "overlay":
        if userns is not None:
            data = _map_lower(data, userns, stack)
        if sum(len(os.fsencode(option)) + 1 for option in data) >= _DATA_LIMIT:
            _mount_long_overlay(data, flags, target, stack)
            return
    _call(source, target, what.type, flags, ",".join(data))


def _call(source: str, target: str, fstype: str, flags: int, data: str) -> None:
    if len(os.fsencode(data)) >= _DATA_LIMIT + 512:
        raise errors.InvalidArgument(f'mount options for "{target}": longer than a page: invalid argument')
    # The kernel wants five strings of which unused ones may be empty, all alive until the call returns.
    texts = [libc.text(part) for part in (source, target, fstype, data)]
    libc.check(libc.lib.mount(texts[0], texts[1], texts[2], flags, texts[3]), source or "none", target)


def _change_propagation(parsed: Parsed, target: str) -> None:
    kinds = parsed.flags & PROPAGATION
    if not kinds:
        return
    if kinds & (kinds - 1):
        raise errors.InvalidArgument(f'mount "{target}": more than one propagation type: invalid argument')
    _call("", target, "", kinds | parsed.flags & MS_REC, "")


def _locked_flags(target: str) -> int:
    """Flags that a user namespace may not take off a mount it did not make; outside of one there is nothing to keep."""
    if not userns_maps.inside_user_namespace():
        return 0
    present = os.statvfs(target).f_flag
    names = ("nodev", "noexec", "nosuid", "noatime", "nodiratime", "relatime")
    statvfs_bits = (os.ST_NODEV, os.ST_NOEXEC, os.ST_NOSUID, os.ST_NOATIME, os.ST_NODIRATIME, os.ST_RELATIME)
    return sum(
        mount_options.parse([name]).flags for name, bit in zip(names, statvfs_bits, strict=True) if present & bit
    )


def _mount_long_overlay(data: Sequence[str], flags: int, target: str, stack: ExitStack) -> None:
    lower = mount_options.value(data, "lowerdir").split(":")
    others = [option for option in data if not option.startswith("lowerdir=")]
    attributes = flags & (mount_options.MS_RDONLY | mount_options.MS_NOSUID | mount_options.MS_NODEV | 8)
    parameters: list[tuple[str, str | None]] = [("lowerdir+", directory) for directory in lower]
    for option in others:
        name, equals, value = option.partition("=")
        parameters.append((name, value if equals else None))
    try:
        fd = mount_api.create("overlay", parameters, attributes=attributes)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    else:
        stack.callback(os.close, fd)
        mount_api.attach(fd, target)
        return
    opened = [os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC) for directory in lower]
    for fd in opened:
        stack.callback(os.close, fd)
    short = "lowerdir=" + ":".join(f"/proc/self/fd/{fd}" for fd in opened)
    _call("overlay", target, "overlay", flags, ",".join([*others, short]))


def _mapping(parsed: Parsed, stack: ExitStack) -> int | None:
    """A user namespace for ``uidmap=`` and ``gidmap=``, or None; containerd, too, wants both or takes neither."""
    if not (parsed.uid_map and parsed.gid_map):
        return None
    fd = userns_maps.open_mapped(parsed.uid_map, parsed.gid_map)
    stack.callback(os.close, fd)
    return fd


def _map_in_place(target: str, userns: int) -> None:
    """Cover ``target`` with an id-mapped clone of itself."""
    fd = mount_api.clone_tree(target)
    try:
        mount_api.set_attributes(fd, set=mount_api.MOUNT_ATTR_IDMAP, userns_fd=userns)
        mount_api.attach(fd, target)
    finally:
        os.close(fd)


def _map_lower(data: Sequence[str], userns: int, stack: ExitStack) -> tuple[str, ...]:
    """Replace lower directories by id-mapped read-only clones, which live as descriptors and hence leave no trace."""
    mapped = []
    for directory in mount_options.value(data, "lowerdir").split(":"):
        fd = mount_api.clone_tree(directory)
        stack.callback(os.close, fd)
        attributes = mount_api.MOUNT_ATTR_IDMAP | mount_api.MOUNT_ATTR_RDONLY
        mount_api.set_attributes(fd, set=attributes, userns_fd=userns)
        mapped.append(f"/proc/self/fd/{fd}")
    others = (option for option in data if not option.startswith("lowerdir="))
    return (*others, "lowerdir=" + ":".join(mapped))


def _mount_by_helper(helper: str, what: Mount, fstype: str, target: str) -> None:
    import shutil  # see userns_maps.open_mapped
    import subprocess

    program = shutil.which(helper, path=_HELPER_PATH)
    if program is None:
        raise errors.FailedPrecondition(
            f'mount helper "{helper}": not found: failed precondition', hint="install fuse3"
        )
    options = [part for option in what.options for part in ("-o", option)]
    done = subprocess.run([program, what.source, target, *options, "-t", fstype], capture_output=True, text=True)
    if done.returncode:
        message = done.stderr.strip() or f"exit status {done.returncode}"
        raise errors.Internal(f'mount helper "{helper}" on "{target}": {message}')
