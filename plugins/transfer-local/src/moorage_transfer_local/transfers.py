"""Transfers: the slot's implementation, and how a pull or a push ends that nobody wants any more.

A pull is one thread that walks from the reference down to layers, some that download, and the caller's, which only
watches: it sees when the client has gone and when a server has fallen silent, and ends everything then. Pushes alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Protocol

from moorage_sdk import errors, references
from moorage_sdk.images import Image
from moorage_sdk.leases import Resource
from moorage_sdk.metadata import View
from moorage_sdk.transfers import (
    Credentials,
    Export,
    Import,
    Progress,
    Pull,
    Push,
    Registry,
    Report,
    Tag,
    Transfer,
)
from moorage_transfer_local import hosts, leases, names
from moorage_transfer_local.destinations import Destination
from moorage_transfer_local.exports import Exporter
from moorage_transfer_local.fetches import Fetcher
from moorage_transfer_local.flights import Flights, Places
from moorage_transfer_local.imports import Importer
from moorage_transfer_local.options import Options
from moorage_transfer_local.progresses import Tracker
from moorage_transfer_local.pulls import PullSession
from moorage_transfer_local.pushes import PushSession
from moorage_transfer_local.registries import Repository
from moorage_transfer_local.servers import Settings
from moorage_transfer_local.stocks import Stock
from moorage_transfer_local.stops import SLICE, Stop
from moorage_transfer_local.uploads import Uploader


class LocalTransfer(Transfer):
    """Fills the slot. ``view`` gives a namespace under a lease."""

    def __init__(self, view: Callable[[str, str], View], options: Options) -> None:
        self._view = view
        self._options = options
        self._flights = Flights()
        self._places = Places(options.downloads)
        self._uploading = Places(options.uploads)
        self._unpacking = Places(options.unpacks) if options.unpacks > 1 else None

    def pull(self, view: View, pull: Pull, report: Report) -> Image:
        reference = references.full(pull.reference)
        stop = Stop(pull.cancelled)
        tracker = Tracker(pull.name or pull.reference, report)
        with leases.leased(view, self._view) as leased, ExitStack() as opened:
            reach = self._reach(reference, pull.registry, pull.reference)
            repository = Repository(reference, *reach, stop)
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
            with _workers(self._options.downloads + 1, "download") as downloads:
                session = PullSession(pull, leased, fetcher, downloads, self._options, self._unpacking)
                return _watched(session.run, stop, repository)

    def import_archive(self, view: View, request: Import, report: Report) -> list[Image]:
        with leases.leased(view, self._view) as leased, _workers(1, "import") as downloads:
            stock = self._stock(leased, request.cancelled)
            return Importer(request, leased, stock, downloads, self._options, self._unpacking).run(report)

    def export_archive(self, view: View, request: Export, report: Report) -> None:
        if not request.names:
            raise errors.InvalidArgument("no image named: invalid argument")
        report(Progress("Exporting"))
        images = [view.images.get(name) for name in request.names]
        kept = [Resource(image.target.digest, "content") for image in images]  # they may be removed meanwhile
        with leases.leased(view, self._view, *kept) as leased:
            Exporter(request, leased.content, self._stock(leased, request.cancelled)).run(images)
        report(Progress("Completed export"))

    def tag(self, view: View, request: Tag) -> list[Image]:
        image = view.images.get(request.source)
        return names.put(view.images, names.given(request.store, image.target))

    def _stock(self, view: View, cancelled: Callable[[], bool]) -> Stock:
        unheard = Tracker("", lambda progress: None)  # containerd tells nothing of the blobs of an archive
        return Stock(view.content, view.namespace, unheard, self._flights, Stop(cancelled))

    def push(self, view: View, push: Push, report: Report) -> Image:
        image = view.images.get(push.name or push.reference)
        reference = references.parse(push.reference)
        stop = Stop(push.cancelled)
        # A lease of our own, for the image may be removed meanwhile, and the client's has nothing to keep of it.
        kept = Resource(image.target.digest, "content")
        with leases.leased(self._view(view.namespace, ""), self._view, kept) as leased, ExitStack() as opened:
            destination = Destination(reference, *self._reach(reference, push.registry, push.reference), stop)
            opened.callback(destination.close)
            policy = self._options.settings.policy
            tracker = Tracker(image.name, report)
            uploader = Uploader(destination, leased.content, tracker, self._uploading, policy, stop)
            with _workers(self._options.uploads, "upload") as workers:
                return _watched(PushSession(push, image, uploader, workers).run, stop, destination)

    def _reach(
        self, reference: references.Reference, asked: Registry, name: str
    ) -> tuple[Sequence[hosts.Endpoint], Callable[[str, str], Credentials | None], Settings]:
        """Where the registry is, how to ask for credentials, and how to talk to it."""
        config_path = asked.config_path or self._options.config_path
        realms = self._options.token_realms(reference.host)
        settings = replace(self._options.settings, token_realms=realms, headers=asked.headers)

        def ask(host: str, realm: str) -> Credentials | None:
            return asked.authority(host, name, realm) if asked.authority is not None else None

        return hosts.endpoints(reference.host, config_path, asked.default_scheme), ask, settings


class _Expiring(Protocol):
    def expire(self) -> None: ...


@contextmanager
def _workers(count: int, name: str) -> Iterator[ThreadPoolExecutor]:
    """Threads. For downloads one more than places: who waits for another pull's of the same blob occupies no place."""
    pool = ThreadPoolExecutor(count, thread_name_prefix=f"moorage-{name}")
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _watched(run: Callable[[], Image], stop: Stop, server: _Expiring) -> Image:
    """Run a transfer on a thread and end it when it is cancelled."""
    with ThreadPoolExecutor(1, thread_name_prefix="moorage-transfer") as pool:
        future: Future[Image] = pool.submit(run)
        try:
            while not wait([future], SLICE, FIRST_COMPLETED).done:
                server.expire()
                if stop.stopped:
                    stop.stop()
            return future.result()
        finally:
            stop.stop()
