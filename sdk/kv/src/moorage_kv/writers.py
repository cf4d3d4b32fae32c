"""The only thread that writes a store.

It commits at once when idle and takes into one commit what queued while the last one ran: a waiting window would cost
more than the sync it saves. Each job runs in a nested transaction, so that one that fails takes only itself back.
After a commit failed for a reason that is not "full", LMDB would happily commit the next transaction on top of pages
that never reached the disk. So the writer latches: it refuses everything until the process starts anew.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

import lmdb

from moorage_kv import faults
from moorage_kv.txns import WriteTxn
from moorage_sdk import errors

T = TypeVar("T")

BATCH = 512
_log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Job:
    fn: Callable[[WriteTxn], Any]
    future: Future[Any] = field(default_factory=Future)
    result: Any = None
    error: BaseException | None = None
    hooks: Sequence[Callable[[], None]] = ()

    def resolve(self) -> None:
        """Run the hooks of a committed job, then tell whoever waits."""
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            for hook in self.hooks:
                try:
                    hook()
                except Exception:  # noqa: BLE001 - foreign code; the commit happened and the next job must go on
                    _log.exception("hook after a commit failed")
            self.future.set_result(self.result)


class Writer:
    """Runs functions in write transactions of ``env``, one thread, in the order in which they came."""

    def __init__(self, env: Any, tables: Mapping[str, Any], path: str) -> None:
        self.failure: errors.Unavailable | None = None
        self.commits = 0
        self._env = env
        self._tables = tables
        self._path = path
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._gate = threading.Lock()  # between "closed?" and "queued", so that no job comes behind the last one
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="kv-writer", daemon=True)
        self._thread.start()

    def submit(self, fn: Callable[[WriteTxn], T]) -> Future[T]:
        """Queue ``fn``; the future is done when the commit reached the disk, or holds the error."""
        job = _Job(fn)
        with self._gate:
            if self._closed:
                raise errors.Unavailable(f'store "{self._path}": closed')
            self._jobs.put(job)
        return job.future

    def is_current_thread(self) -> bool:
        """Whether the caller runs on the writer's thread, where waiting for a write would wait for ever."""
        return threading.current_thread() is self._thread

    def close(self) -> None:
        """Commit what is queued, then end the thread."""
        with self._gate:
            if not self._closed:
                self._closed = True
                self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        ending = False
        while not ending:
            batch, ending = self._take()
            started = [job for job in batch if job.future.set_running_or_notify_cancel()]
            if started:
                self._commit(started)
            for job in started:
                job.resolve()

    def _take(self) -> tuple[list[_Job], bool]:
        batch: list[_Job] = []
        job = self._jobs.get()
        while job is not None:
            batch.append(job)
            if len(batch) == BATCH or self._jobs.empty():
                return batch, False
            job = self._jobs.get()
        return batch, True

    def _commit(self, jobs: list[_Job]) -> None:
        if self.failure is not None:
            _fail(jobs, self.failure)
            return
        try:
            with self._env.begin(write=True) as outer:
                for job in jobs:
                    self._perform(job, outer)
            self.commits += 1
        except lmdb.Error as error:
            _fail(jobs, self._judge(error))

    def _perform(self, job: _Job, outer: Any) -> None:
        raw = self._env.begin(parent=outer, write=True)
        txn = WriteTxn(raw, self._tables, self._path)
        try:
            job.result = job.fn(txn)
            job.hooks = txn._hooks
            txn._end()
            raw.commit()
        except lmdb.Error as error:
            raw.abort()
            job.error = self._judge(error)
            if self.failure is not None:
                raise
        except BaseException as error:  # noqa: BLE001 - whatever the foreign function raises is its caller's to see
            raw.abort()
            job.error = error
        finally:
            txn._end()

    def _judge(self, error: lmdb.Error) -> errors.Error:
        verdict = faults.translate(error, self._path)
        if isinstance(verdict, errors.Unavailable):
            self.failure = verdict
        return verdict


def _fail(jobs: list[_Job], error: errors.Error) -> None:
    for job in jobs:
        # A job that failed by itself keeps its own reason.
        job.error = job.error or error
