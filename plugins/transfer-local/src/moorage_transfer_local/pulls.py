"""Pulls: the slot's implementation, and how a pull ends that nobody wants any more.

A pull is one thread that walks from the reference down to layers, some that download, and the caller's, which only
watches: it sees when the client has gone and when a server has fallen silent, and ends everything then.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from moorage_sdk import errors, labels, references
from moorage_sdk.images import Image
from moorage_sdk.metadata import View
from moorage_sdk.transfers import Credentials, Pull, Report, Transfer
from moorage_transfer_local import hosts
from moorage_transfer_local.fetches import Fetcher
from moorage_transfer_local.flights import Flights, Places
from moorage_transfer_local.progresses import Tracker
from moorage_transfer_local.registries import Repository
from moorage_transfer_local.sessions import Options, Session
from moorage_transfer_local.stops import SLICE, Stop

LEASE_HOURS = 24
"""How long what a pull made is kept when the daemon dies in its middle (as in containerd)."""


class LocalTransfer(Transfer):
    """Fills the slot. ``view`` gives a namespace under a lease."""

    def __init__(self, view: Callable[[str, str], View], options: Options) -> None:
        self._view = view
        self._options = options
        self._flights = Flights()
        self._places = Places(options.downloads)
        self._unpacking = Places(options.unpacks) if options.unpacks > 1 else None

    def pull(self, view: View, pull: Pull, report: Report) -> Image:
        reference = references.full(pull.reference)
        stop = Stop(pull.cancelled)
        tracker = Tracker(pull.name or pull.reference, report)
        with self._leased(view) as leased, ExitStack() as opened:
            repository = self._repository(reference, pull, stop)
            opened.callback(repository.close)
            fetcher = Fetcher(
                repository,
                leased.content,
                leased.namespace,
                tracker,
                self._flights,
                self._places,
                self._options.settings.policy,
                stop,
            )
            with self._downloads() as downloads:
                session = Session(pull, leased, fetcher, downloads, self._options, self._unpacking)
                return _watched(session.run, stop, repository)

    @contextmanager
    def _leased(self, view: View) -> Iterator[View]:
        """The view under a lease: the client's, or one of our own that ends with the pull."""
        if view.lease:
            yield view
            return
        until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=LEASE_HOURS)
        lease = view.leases.create(labels={labels.GC_EXPIRE: until.strftime("%Y-%m-%dT%H:%M:%SZ")})
        try:
            yield self._view(view.namespace, lease.id)
        finally:
            with contextlib.suppress(errors.NotFound):
                view.leases.delete(lease.id)

    @contextmanager
    def _downloads(self) -> Iterator[ThreadPoolExecutor]:
        # One worker more than places: who waits for another pull's download of the same blob occupies no place.
        pool = ThreadPoolExecutor(self._options.downloads + 1, thread_name_prefix="moorage-download")
        try:
            yield pool
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _repository(self, reference: references.Reference, pull: Pull, stop: Stop) -> Repository:
        asked = pull.registry
        endpoints = hosts.endpoints(
            reference.host, asked.config_path or self._options.config_path, asked.default_scheme
        )
        realms = self._options.token_realms(reference.host)
        settings = replace(self._options.settings, token_realms=realms, headers=asked.headers)

        def ask(host: str, realm: str) -> Credentials | None:
            return asked.authority(host, pull.reference, realm) if asked.authority is not None else None

        return Repository(reference, endpoints, ask, settings, stop)


def _watched(run: Callable[[], Image], stop: Stop, repository: Repository) -> Image:
    """Run a pull on a thread and end it when it is cancelled."""
    with ThreadPoolExecutor(1, thread_name_prefix="moorage-pull") as pool:
        future: Future[Image] = pool.submit(run)
        try:
            while not wait([future], SLICE, FIRST_COMPLETED).done:
                repository.expire()
                if stop.stopped:
                    stop.stop()
            return future.result()
        finally:
            stop.stop()
