"""Errands: what one request for a transfer comes to, by the kinds of its two ends.

Source and destination are typed values in an Any; what clients put there, and the words of the streams, are those of
core/transfer in containerd v2.3.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from enum import Enum

from moorage_api.convert import typeurls
from moorage_api.messages import transfer_types
from moorage_sdk import errors
from moorage_sdk.metadata import View
from moorage_sdk.transfers import Archiver, Authority, Report, Tag, Transfer
from moorage_services import ends
from moorage_services.authorities import Asking
from moorage_services.byte_streams import ByteSink, ByteSource
from moorage_services.registers import Streams
from moorage_services.streams import Stream

log = logging.getLogger(__name__)

PIECE = 256 << 10


class Kind(Enum):
    """What the work waits for."""

    NETWORK = "network"
    CLIENT = "client"
    STORAGE = "storage"


Work = tuple[Kind, Callable[[], object]]


class Errand:
    """One transfer for a client. ``streams`` are those of bytes to it, which end with the work."""

    def __init__(self, transfer: Transfer, streams: Streams, view: View, report: Report) -> None:
        self._transfer = transfer
        self._named = streams
        self._view = view
        self._report = report
        self._gone = threading.Event()
        self.streams: list[Stream] = []

    def give_up(self) -> None:
        """Nobody wants it any more."""
        self._gone.set()

    def work(self, source: typeurls.Typed, destination: typeurls.Typed) -> Work:
        """What is to be done. Raises errors.Unimplemented, errors.InvalidArgument, and errors.NotFound for a stream."""
        values = _value(source), _value(destination)
        match values:
            case transfer_types.OCIRegistry() as registry, transfer_types.ImageStore() as store:
                return self._pull(registry, store)
            case transfer_types.ImageStore() as store, transfer_types.OCIRegistry() as registry:
                return self._push(store, registry)
            case transfer_types.ImageStore() as named, transfer_types.ImageStore() as store:
                return self._tag(named, store)
            case transfer_types.ImageImportStream() as archive, transfer_types.ImageStore() as store:
                return self._import(archive, store)
            case transfer_types.ImageStore() as store, transfer_types.ImageExportStream() as archive:
                return self._export(store, archive)
            case transfer_types.ImageImportStream() as incoming, transfer_types.ImageExportStream() as outgoing:
                return self._echo(incoming, outgoing)
        for value in values:
            if isinstance(value, transfer_types.ImageImportStream | transfer_types.ImageExportStream):
                self._stream(value.stream)  # clients are told of this first
        pair = f"{source.type_url} to {destination.type_url}"
        raise errors.Unimplemented(f"method Transfer not implemented for {pair}: not implemented")

    def _pull(self, source: transfer_types.OCIRegistry, store: transfer_types.ImageStore) -> Work:
        pull = ends.to_pull(source, store, self._authority(source), self._gone.is_set)
        return Kind.NETWORK, lambda: self._transfer.pull(self._view, pull, self._report)

    def _push(self, store: transfer_types.ImageStore, target: transfer_types.OCIRegistry) -> Work:
        push = ends.to_push(store, target, self._authority(target), self._gone.is_set)
        return Kind.NETWORK, lambda: self._transfer.push(self._view, push, self._report)

    def _tag(self, named: transfer_types.ImageStore, store: transfer_types.ImageStore) -> Work:
        archiver, tag = self._archiver(), Tag(named.name, ends.to_store(store))
        return Kind.STORAGE, lambda: archiver.tag(self._view, tag)

    def _import(self, archive: transfer_types.ImageImportStream, store: transfer_types.ImageStore) -> Work:
        archiver, stream = self._archiver(), self._stream(archive.stream)
        wanted = ends.to_import(archive, store, ByteSource(stream, self._gone.is_set), self._gone.is_set)

        def work() -> None:
            with contextlib.closing(stream):
                archiver.import_archive(self._view, wanted, self._report)

        return Kind.CLIENT, work

    def _export(self, store: transfer_types.ImageStore, archive: transfer_types.ImageExportStream) -> Work:
        archiver, stream = self._archiver(), self._stream(archive.stream)
        sink = ByteSink(stream, self._gone.is_set)
        wanted = ends.to_export(store, archive, sink, self._gone.is_set)

        def work() -> None:
            with self._sending(stream, sink):
                archiver.export_archive(self._view, wanted, self._report)

        return Kind.CLIENT, work

    def _echo(self, incoming: transfer_types.ImageImportStream, outgoing: transfer_types.ImageExportStream) -> Work:
        """Bytes go back as they come: how clients try out their streams."""
        coming, going = self._stream(incoming.stream), self._stream(outgoing.stream)
        source, sink = ByteSource(coming, self._gone.is_set), ByteSink(going, self._gone.is_set)

        def work() -> None:
            with contextlib.closing(coming), self._sending(going, sink):
                while data := source.read(PIECE):
                    sink.write(data)

        return Kind.CLIENT, work

    @contextlib.contextmanager
    def _sending(self, stream: Stream, sink: ByteSink) -> Iterator[None]:
        self.streams.append(stream)
        with contextlib.closing(stream):
            yield
            sink.flush()

    def _stream(self, name: str) -> Stream:
        return self._named.get(self._view.namespace, name)

    def _authority(self, registry: transfer_types.OCIRegistry) -> Authority | None:
        if registry.resolver.http_debug:
            log.warning(
                'image "%s": requests to the registry are not written down, as the client asks', registry.reference
            )
        name = registry.resolver.auth_stream
        return Asking(self._stream(name), self._gone.is_set) if name else None

    def _archiver(self) -> Archiver:
        if not isinstance(self._transfer, Archiver):
            raise errors.Unimplemented("archives and names are not known to this transfer: not implemented")
        return self._transfer


def _value(end: typeurls.Typed) -> object:
    """The message in an Any, None for one of a kind that no end of a transfer is."""
    kinds = (
        transfer_types.OCIRegistry,
        transfer_types.ImageStore,
        transfer_types.ImageImportStream,
        transfer_types.ImageExportStream,
    )
    return typeurls.unpack(end) if any(typeurls.holds(end, kind) for kind in kinds) else None
