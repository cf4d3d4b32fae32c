"""Whom a container runs as: ``user[:group]`` looked up in the image's own user database.

Rules are those of ``WithUser`` and ``WithAdditionalGIDs`` (pkg/oci/spec_opts.go in containerd v2.3) with what its
advisories taught: what looks like a number is never looked up as a name (CVE-2024-40635, CVE-2026-46680), the files are
read with a limit, without leaving the root and without waiting for a FIFO (CVE-2026-47262), and the primary group is
always among the supplementary ones (CVE-2023-25173).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from moorage_sdk import errors
from moorage_sys import paths

MAX_ID = 2**31 - 1
"""runc takes no larger ids."""

FILE_LIMIT = 10 << 20
"""Bytes of ``/etc/passwd`` or ``/etc/group``; more is an error, for cutting it off would drop entries."""

_NUMBER = re.compile(r"[+-]?[0-9]+")
_DIGITS = 20
"""Longer numbers are not converted: Python refuses to with some thousands of digits."""


@dataclass(frozen=True)
class User:
    """``groups`` are the supplementary ones, the primary one among them."""

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class _Account:
    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class _Group:
    name: str
    gid: int
    members: tuple[str, ...]


def needs_files(user: str) -> bool:
    """Whether ``resolve`` would read the database: for all but ``uid:gid``."""
    return not all(_NUMBER.fullmatch(part) for part in user.split(":")) or ":" not in user


def resolve(user: str, root: Path | None) -> User:
    """Read ``user``: "", ``name``, ``uid``, or either with ``:group`` or ``:gid``.

    ``root`` is the root file system; None serves ``uid:gid`` only. Raises errors.NotFound for a name that is not
    there, errors.InvalidArgument for an id out of range or a database that is no regular file, and
    errors.ResourceExhausted for one that is too large.
    """
    name, colon, group = user.partition(":")
    if (colon and not group) or ":" in group or (user and not name):
        raise errors.InvalidArgument(f'user "{user}": must be user[:group]: invalid argument')
    uid, gid = _number(name, user, "uid"), _number(group, user, "gid") if colon else None
    if uid is not None and gid is not None:
        return User(uid, gid, (gid,))
    if root is None:
        raise errors.InvalidArgument(f'user "{user}": needs the root file system: invalid argument')
    root_fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return _look_up(root_fd, name or "root", uid if user else 0, group, gid)
    finally:
        os.close(root_fd)


def _look_up(root: int, name: str, uid: int | None, group: str, gid: int | None) -> User:
    account = _account(root, name, uid)
    if group:
        gid = _group_id(root, group) if gid is None else gid
        return User(account.uid, gid, (gid,))
    groups = [each.gid for each in _groups(root) if account.name in each.members and each.name != account.name]
    return User(account.uid, account.gid, tuple(dict.fromkeys([account.gid, *groups])))


def _account(root: int, name: str, uid: int | None) -> _Account:
    """A name must be there; an id need not, and has group 0 then."""
    for account in _accounts(root):
        if account.uid == uid if uid is not None else account.name == name:
            return account
    if uid is None:
        raise errors.NotFound(f'user "{name}" in /etc/passwd of the image: not found')
    return _Account("", uid, 0)


def _group_id(root: int, name: str) -> int:
    for group in _groups(root):
        if group.name == name:
            return group.gid
    raise errors.NotFound(f'group "{name}" in /etc/group of the image: not found')


def _accounts(root: int) -> Iterator[_Account]:
    for fields in _lines(root, "etc/passwd", 4):
        if _is_id(fields[2]) and _is_id(fields[3]):
            yield _Account(fields[0], int(fields[2]), int(fields[3]))


def _groups(root: int) -> Iterator[_Group]:
    for fields in _lines(root, "etc/group", 3):
        if _is_id(fields[2]):
            members = fields[3].split(",") if len(fields) > 3 else []
            # A group without members would otherwise have one without a name, which is whom an unknown id is taken for.
            yield _Group(fields[0], int(fields[2]), tuple(filter(None, members)))


def _lines(root: int, path: str, least: int) -> Iterator[list[str]]:
    """Entries with at least that many fields; an image without the file has none."""
    try:
        data = paths.read_limited(root, path, FILE_LIMIT)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise errors.InvalidArgument(f'file "/{path}" of the image: {error.strerror}: invalid argument') from None
    for line in data.decode("utf-8", "surrogateescape").split("\n"):
        fields = line.strip().split(":")
        if len(fields) >= least:
            yield fields


def _is_id(text: str) -> bool:
    """An entry with another number is skipped: to take it for 0, as others do, would make it root."""
    return len(text) <= _DIGITS and text.isascii() and text.isdigit() and int(text) <= MAX_ID


def _number(text: str, user: str, what: str) -> int | None:
    """The id, None for a name. Raises errors.InvalidArgument for a number out of range."""
    if not _NUMBER.fullmatch(text):
        return None
    if len(text) > _DIGITS or not 0 <= int(text) <= MAX_ID:
        raise errors.InvalidArgument(f'user "{user}": {what} out of range: invalid argument')
    return int(text)
