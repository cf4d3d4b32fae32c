"""Opening the file: what must hold before it is mapped, and how it is mapped."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lmdb

from moorage_kv import faults, validation
from moorage_kv.txns import SYSTEM
from moorage_sdk import errors

READERS = 512
"""Snapshots that may be open at once; LMDB wants to know in advance, and each costs a cache line in its lock file."""

Handles = tuple[Any, dict[str, Any]]
"""An lmdb.Environment, and the handle of each table by name."""


def acquire(directory: Path, tables: Sequence[str], *, map_size: int, durable: bool, reserve: int) -> Handles:
    """Validate the file in ``directory``, allocate ``reserve`` bytes behind its data, and map it.

    Raises:
        DataLoss: the file is damaged.
        ResourceExhausted: no space to create it.
    """
    if wrong := [name for name in tables if name.startswith("_")]:
        raise errors.Internal(f'table "{wrong[0]}": names with a leading underscore are the store\'s own')
    _validate(directory)
    options = {"map_size": map_size, "metasync": durable}
    env, handles = _map(directory, tables, options)
    if not reserve:
        return env, handles
    # Allocating is done on a file that nobody has mapped, and only LMDB can lay out a new one.
    env.close()
    _allocate(directory, reserve)
    return _map(directory, tables, options)


def _validate(directory: Path) -> None:
    if not (directory / validation.DATA).exists():
        return
    if validation.unseal(directory) and validation.extent(directory).complete:
        return
    if verdict := validation.verdict(directory):
        raise errors.DataLoss(f'store "{directory}": damaged: {verdict}', hint="restore data.mdb from a copy")


def _allocate(directory: Path, reserve: int) -> None:
    fd = os.open(directory / validation.DATA, os.O_RDWR | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):  # a file system without fallocate, or already full: nothing to reserve
            os.posix_fallocate(fd, 0, validation.extent(directory).needed + reserve)
    finally:
        os.close(fd)


def _map(directory: Path, tables: Sequence[str], options: Mapping[str, Any]) -> Handles:
    try:
        env = lmdb.open(
            os.fspath(directory),
            mode=0o600,
            max_dbs=len(tables) + 1,
            max_readers=READERS,
            max_spare_txns=8,
            readahead=False,
            **options,
        )
    except (lmdb.InvalidError, lmdb.CorruptedError, lmdb.VersionMismatchError) as error:
        raise errors.DataLoss(f'store "{directory}": damaged: {error}') from error
    except lmdb.Error as error:
        raise faults.translate(error, str(directory)) from error
    try:
        env.reader_check()
        _keep_from_children(directory)
        return env, {name: env.open_db(name.encode()) for name in (*tables, SYSTEM)}
    except lmdb.Error as error:
        env.close()
        raise faults.translate(error, str(directory)) from error


def _keep_from_children(directory: Path) -> None:
    # liblmdb opens its data file, once for pages and once for meta pages, without O_CLOEXEC.
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # descriptors come and go while we look
            if link.readlink().parent == directory.resolve():
                os.set_inheritable(int(link.name), False)
