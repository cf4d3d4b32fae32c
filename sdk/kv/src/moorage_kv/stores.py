"""A store: one LMDB environment, its lock, its writer and its schema version."""

from __future__ import annotations

import contextlib
import enum
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import lmdb

from moorage_kv import builds, environments, faults, locks, validation
from moorage_kv.txns import SYSTEM, ReadTxn, WriteTable, WriteTxn
from moorage_kv.writers import Writer
from moorage_sdk import errors

T = TypeVar("T")
Migration = Callable[[WriteTxn], None]

# Only address space: the file is as large as what was written. Never resized, for that needs a moment without readers.
MAP_SIZE = 16 << 30
PATIENCE = 5.0
"""Seconds that closing waits for readers; with one that stays longer the file is left mapped until the process ends."""

_SCHEMA = b"schema"


class State(enum.Enum):
    """What a store can do: ``FAILED`` still reads, ``CLOSED`` nothing."""

    OPEN = "open"
    FAILED = "failed"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Stats:
    """Sizes in bytes: ``used`` of ``map_size`` (free pages in the file count, too); ``commits`` since opening."""

    used: int
    map_size: int
    last_txn: int
    readers: int
    commits: int


class Store:
    """Durable tables of bytes. Every method may be called from every thread."""

    def __init__(self, path: Path, env: Any, tables: Mapping[str, Any], lock: int) -> None:
        self.path = path
        self._env = env
        self._tables = tables
        self._lock = lock
        self._closed = False
        self._readers = 0
        self._idle = threading.Condition(threading.Lock())
        self._writer = Writer(env, tables, str(path))

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        tables: Sequence[str],
        map_size: int = MAP_SIZE,
        schema: int = 1,
        migrations: Mapping[int, Migration] | None = None,
        durable: bool = True,
        reserve: int = 0,
    ) -> Store:
        """Open the store in the directory ``path``, which is created with mode 0700.

        ``schema`` is the version this program writes; ``migrations[n]`` takes a store from version n to n + 1, all of
        them run in one transaction after a copy was laid beside the store. With ``durable=False`` the last commits may
        be undone by a crash of the machine, never by one of the process. ``reserve`` bytes beyond the file's end are
        allocated, so that deleting still works on a full disk.

        Raises:
            FailedPrecondition: in use by another opener, written by a newer program, or an unfit build of lmdb.
            DataLoss: the file is damaged.
            ResourceExhausted: no space to create it.
        """
        builds.check(lmdb.__version__, lmdb.version(subpatch=True))
        directory = Path(path)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = locks.acquire(directory / "lock")
        try:
            env, handles = environments.acquire(directory, tables, map_size=map_size, durable=durable, reserve=reserve)
            store = cls(directory, env, handles, lock)
        except BaseException:
            os.close(lock)
            raise
        try:
            store._migrate(schema, migrations or {})
        except BaseException:
            store.close()
            raise
        return store

    @property
    def state(self) -> State:
        if self._closed:
            return State.CLOSED
        return State.OPEN if self._writer.failure is None else State.FAILED

    @contextlib.contextmanager
    def read(self) -> Iterator[ReadTxn]:
        """A snapshot for the calling thread, to be kept short: what it pins cannot be reused by writers.

        Raises:
            Unavailable: the store is closed.
            ResourceExhausted: more than ``environments.READERS`` snapshots are open.
            DataLoss: a damaged page was met.
        """
        try:
            with self._reading(), self._env.begin() as raw:
                txn = ReadTxn(raw, self._tables, str(self.path))
                try:
                    yield txn
                finally:
                    txn._end()
        except (lmdb.CorruptedError, lmdb.PageNotFoundError) as error:
            raise errors.DataLoss(f'store "{self.path}": damaged: {error}') from error
        except lmdb.Error as error:
            raise faults.translate(error, str(self.path)) from error

    def submit(self, fn: Callable[[WriteTxn], T]) -> Future[T]:
        """Run ``fn`` in a transaction on the writer thread; the future is resolved when the commit is on disk.

        The future holds whatever ``fn`` raised, and nothing ``fn`` did is kept then; or ``ResourceExhausted`` (map or
        disk full; the store goes on), or ``Unavailable`` (a commit failed; the store is ``FAILED`` from now on).
        """
        return self._writer.submit(fn)

    def write(self, fn: Callable[[WriteTxn], T]) -> T:
        """``submit`` and wait. Must not be called inside a write transaction."""
        if self._writer.is_current_thread():
            raise errors.Internal(f'store "{self.path}": write inside a write transaction')
        return self.submit(fn).result()

    def stats(self) -> Stats:
        info = self._env.info()
        page = self._env.stat()["psize"]
        used = (info["last_pgno"] + 1) * page
        return Stats(used, info["map_size"], info["last_txnid"], info["num_readers"], self._writer.commits)

    def copy(self, target: str | os.PathLike[str]) -> None:
        """Write a compact, synced copy of the store's file to ``target``; it appears whole or not at all."""
        part = Path(f"{os.fspath(target)}.part")
        fd = os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            with self._reading():
                self._env.copyfd(fd, compact=True)
            os.fsync(fd)
        except lmdb.Error as error:
            part.unlink()
            raise faults.translate(error, str(part.parent)) from error
        finally:
            os.close(fd)
        part.replace(target)
        _sync(part.parent)

    def close(self) -> None:
        """Commit what is queued, wait for readers and give the files back. May be called again."""
        self._writer.close()
        with self._idle:
            if self._closed:
                return
            self._closed = True
            idle = self._idle.wait_for(lambda: not self._readers, PATIENCE)
        if idle:
            # Unmapping the file under a reader, who may be in C code without the interpreter's lock, means SIGSEGV.
            self._env.close()
        if self._writer.failure is None:
            validation.seal(self.path)
        os.close(self._lock)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        with self._idle:
            if self._closed:
                raise errors.Unavailable(f'store "{self.path}": closed')
            self._readers += 1
        try:
            yield
        finally:
            with self._idle:
                self._readers -= 1
                if self._closed:
                    self._idle.notify_all()

    def _migrate(self, schema: int, migrations: Mapping[int, Migration]) -> None:
        with self.read() as txn:
            raw = _system(txn).get(_SCHEMA)
        version = int(raw) if raw else schema
        if version > schema:
            raise errors.FailedPrecondition(
                f'store "{self.path}": has schema {version}, this program knows {schema}', hint="do not downgrade"
            )
        if raw is None or version < schema:
            if raw is not None:
                self.copy(self.path / f"schema-{version}.mdb")
            self.write(lambda txn: _upgrade(txn, range(version, schema), migrations))


def _system(txn: ReadTxn) -> WriteTable:
    return WriteTable(txn, txn._tables[SYSTEM])


def _upgrade(txn: WriteTxn, versions: range, migrations: Mapping[int, Migration]) -> None:
    for version in versions:
        if version not in migrations:
            raise errors.FailedPrecondition(f'store "{txn._path}": no migration from schema {version}')
        migrations[version](txn)
    _system(txn).put(_SCHEMA, str(versions.stop).encode())


def _sync(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
