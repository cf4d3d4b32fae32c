"""One mount on one place: the calls that its options ask for, in their order.

Where the lower directories of an overlay are too long for one page, containerd changes the directory of a thread; here
each goes through the mount API by itself, or as ``/proc/self/fd/N`` where overlay lacks ``lowerdir+``.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from contextlib import ExitStack

from moorage_sdk import errors
from moorage_sdk.mounts import Mount
from moorage_sys import libc, loops, mount_api, mount_options, userns_maps
from moorage_sys.mount_options import MS_BIND, MS_RDONLY, MS_REC, MS_REMOUNT, PROPAGATION, Parsed

_MNT_DETACH = 2
_DATA_LIMIT = os.sysconf("SC_PAGE_SIZE") - 512
_SAME_ATTRIBUTES = MS_RDONLY | mount_options.MS_NOSUID | mount_options.MS_NODEV | mount_options.MS_NOEXEC
"""Flags of mount(2) that are attributes of fsmount(2) by the same numbers."""
_OTHER_ATTRIBUTES = (
    (mount_options.MS_NOATIME, 0x10),
    (mount_options.MS_STRICTATIME, 0x20),
    (mount_options.MS_NODIRATIME, 0x80),
)
"""Flags of mount(2) with their attributes of fsmount(2) (``include/uapi/linux/mount.h``)."""
_HELPERS = {"fuse.": "mount.fuse", "fuse3.": "mount.fuse3"}
_HELPER_PATH = "/usr/sbin:/sbin:/usr/bin:/bin"


def perform(what: Mount, target: str) -> None:
    """Mount ``what`` on ``target``, whatever ``what.target`` says.

    Raises OSError naming source and target, errors.InvalidArgument for options that make no sense,
    errors.FailedPrecondition and errors.Internal for a missing or failing helper of FUSE.
    """
    for prefix, helper in _HELPERS.items():
        if what.type.startswith(prefix):
            _mount_by_helper(helper, what, what.type.removeprefix(prefix), target)
            return
    parsed = mount_options.parse(what.options)
    with ExitStack() as stack:
        userns = _mapping(parsed, stack)
        if not parsed.flags & MS_REMOUNT or parsed.data:
            _mount_new(what, parsed, target, userns, stack)
        try:
            _finish(what, parsed, target, userns)
        except BaseException:
            if not parsed.flags & MS_REMOUNT:
                _take_off(target)
            raise


def _finish(what: Mount, parsed: Parsed, target: str, userns: int | None) -> None:
    """What the kernel does not do in the first call."""
    _change_propagation(parsed, target)
    if parsed.flags & (MS_BIND | MS_RDONLY) == MS_BIND | MS_RDONLY:
        # The kernel ignores all flags but MS_REC when it makes a bind mount; only a remount applies them.
        call("", target, "", parsed.flags & ~PROPAGATION | MS_REMOUNT | _locked_flags(target), "")
    if userns is not None and what.type != "overlay":
        _map_in_place(target, userns)


def _take_off(target: str) -> None:
    """By its real name: a descriptor in /proc leads beneath the mount. A failure must not hide the one before."""
    libc.lib.umount2(libc.text(os.path.realpath(target)), _MNT_DETACH)


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
    call(source, target, what.type, flags, ",".join(data))


def call(source: str, target: str, fstype: str, flags: int, data: str) -> None:
    """mount(2). Raises OSError, errors.InvalidArgument for more data than the kernel takes."""
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
    call("", target, "", kinds | parsed.flags & MS_REC, "")


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
    attributes = flags & _SAME_ATTRIBUTES | sum(attribute for flag, attribute in _OTHER_ATTRIBUTES if flags & flag)
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
    call("overlay", target, "overlay", flags, ",".join([*others, short]))


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
