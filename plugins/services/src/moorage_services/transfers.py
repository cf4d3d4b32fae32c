"""``containerd.services.transfer.v1``: pulls into the image store, pushes out of it, and further names in it.

Source and destination are typed values in an Any; what clients put there, and the words of the two streams, are those
of core/transfer/{registry,image} in containerd v2.3. Other pairs answer Unimplemented, which clients understand.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from typing import cast

from google.protobuf.empty_pb2 import Empty

from moorage_api.convert import descriptors, platforms, typeurls
from moorage_api.messages import transfer, transfer_types
from moorage_sdk import errors
from moorage_sdk.metadata import Metadata
from moorage_sdk.platforms import host
from moorage_sdk.transfers import Authority, Credentials, Progress, Pull, Push, Registry, Report, Transfer, Unpack
from moorage_services import tags
from moorage_services.calls import Call, Handler
from moorage_services.pools import Pool
from moorage_services.streams import Stream, Streams

log = logging.getLogger(__name__)

PATIENCE = 2.0
"""Seconds that the answer waits for a client to read the last lines of progress."""


class TransferService:
    """``network`` is a pool for work that takes as long as the network does, ``storage`` for what is quickly done."""

    name = "containerd.services.transfer.v1.Transfer"

    def __init__(self, metadata: Metadata, transfer: Transfer, streams: Streams, network: Pool, storage: Pool) -> None:
        self._metadata = metadata
        self._transfer = transfer
        self._streams = streams
        self._network = network
        self._storage = storage

    def handlers(self) -> Mapping[str, Handler]:
        return {"Transfer": self.transfer}

    async def transfer(self, request: transfer.TransferRequest, call: Call) -> Empty:
        """Raises errors.Unimplemented for a pair of ends that this daemon does not connect, and as Transfer.pull."""
        source, destination = request.source, request.destination
        progress = self._stream(call, request.options.progress_stream)
        try:
            if typeurls.holds(source, transfer_types.ImageStore) and typeurls.holds(
                destination, transfer_types.OCIRegistry
            ):
                await self._push(call, _store(source), _registry(destination), _report(progress))
            elif not typeurls.holds(destination, transfer_types.ImageStore):
                raise _unimplemented(source, destination)
            elif typeurls.holds(source, transfer_types.OCIRegistry):
                await self._pull(call, _registry(source), _store(destination), _report(progress))
            elif typeurls.holds(source, transfer_types.ImageStore):
                images = call.view(self._metadata).images
                await self._storage.run(tags.tag, images, _store(source), _store(destination))
            else:
                raise _unimplemented(source, destination)
        finally:
            if progress is not None:
                progress.close()
        if progress is not None:
            await progress.written(PATIENCE)
        return Empty()

    async def _pull(
        self, call: Call, source: transfer_types.OCIRegistry, store: transfer_types.ImageStore, report: Report
    ) -> None:
        gone = threading.Event()
        authority = self._authority(call, source, gone.is_set)
        view = call.view(self._metadata)
        pull = to_pull(source, store, authority, gone.is_set)

        def work() -> None:
            image = self._transfer.pull(view, pull, report)
            for extra in tags.extra_images(store, image):
                tags.put(view.images, extra)

        await self._watched(work, gone)

    async def _push(
        self, call: Call, store: transfer_types.ImageStore, target: transfer_types.OCIRegistry, report: Report
    ) -> None:
        gone = threading.Event()
        view = call.view(self._metadata)
        push = to_push(store, target, self._authority(call, target, gone.is_set), gone.is_set)
        await self._watched(lambda: self._transfer.push(view, push, report), gone)

    async def _watched(self, work: Callable[[], object], gone: threading.Event) -> None:
        try:
            await self._network.run(work)
        except asyncio.CancelledError:
            gone.set()
            raise

    def _stream(self, call: Call, name: str) -> Stream | None:
        return self._streams.get(call.namespace, name) if name else None

    def _authority(
        self, call: Call, source: transfer_types.OCIRegistry, cancelled: Callable[[], bool]
    ) -> Authority | None:
        stream = self._stream(call, source.resolver.auth_stream)
        return Asking(stream, cancelled) if stream is not None else None


class Asking:
    """An authority that asks the client on a stream, one question at a time."""

    def __init__(self, stream: Stream, cancelled: Callable[[], bool]) -> None:
        self._stream = stream
        self._cancelled = cancelled
        self._turn = threading.Lock()

    def __call__(self, host: str, reference: str, realm: str) -> Credentials | None:
        with self._turn:
            challenges = [f'Bearer realm="{realm}"'] if realm else []
            question = transfer_types.AuthRequest(host=host, reference=reference, wwwauthenticate=challenges)
            self._stream.send(question)
            answer = self._stream.receive(self._cancelled)
        if not typeurls.holds(answer, transfer_types.AuthResponse):
            raise errors.InvalidArgument(
                f'answer to a question for credentials: got "{answer.type_url}": invalid argument'
            )
        return credentials(cast(transfer_types.AuthResponse, typeurls.unpack(answer)))


def credentials(response: transfer_types.AuthResponse) -> Credentials | None:
    """What the client knows; clients that know nothing send an empty refresh token."""
    if not response.secret:
        return None
    match response.authType:
        case transfer_types.CREDENTIALS:
            return Credentials(response.username, response.secret)
        case transfer_types.REFRESH:
            return Credentials(secret=response.secret)
        case transfer_types.HEADER:
            return Credentials(header=response.secret)
        case _:
            return None


def to_pull(
    source: transfer_types.OCIRegistry,
    store: transfer_types.ImageStore,
    authority: Authority | None,
    cancelled: Callable[[], bool],
) -> Pull:
    """Raises errors.Unimplemented for a limit of manifests without platforms to choose them by."""
    wanted = tuple(platforms.from_message(platform) for platform in store.platforms)
    if store.manifest_limit and not wanted:
        raise errors.Unimplemented("manifest limit without platforms: not implemented")
    return Pull(
        reference=source.reference,
        name=store.name,
        platforms=wanted,
        unpacks=tuple(_unpack(unpack) for unpack in store.unpacks),
        labels=dict(store.labels),
        registry=_reach(source.resolver, authority),
        all_metadata=store.all_metadata,
        cancelled=cancelled,
    )


def to_push(
    store: transfer_types.ImageStore,
    target: transfer_types.OCIRegistry,
    authority: Authority | None,
    cancelled: Callable[[], bool],
) -> Push:
    return Push(
        reference=target.reference,
        name=store.name,
        platforms=tuple(platforms.from_message(platform) for platform in store.platforms),
        registry=_reach(target.resolver, authority),
        cancelled=cancelled,
    )


def _reach(resolver: transfer_types.RegistryResolver, authority: Authority | None) -> Registry:
    return Registry(resolver.host_dir, resolver.default_scheme, dict(resolver.headers), authority)


def _unpack(message: transfer_types.UnpackConfiguration) -> Unpack:
    platform = platforms.from_message(message.platform) if message.HasField("platform") else host()
    return Unpack(platform, message.snapshotter)


def _unimplemented(source: typeurls.Typed, destination: typeurls.Typed) -> errors.Unimplemented:
    pair = f"{source.type_url} to {destination.type_url}"
    return errors.Unimplemented(f"method Transfer not implemented for {pair}: not implemented")


def _registry(packed: typeurls.Typed) -> transfer_types.OCIRegistry:
    source = cast(transfer_types.OCIRegistry, typeurls.unpack(packed))
    if source.resolver.http_debug:
        log.warning('image "%s": requests to the registry are not written down, as the client asks', source.reference)
    return source


def _store(packed: typeurls.Typed) -> transfer_types.ImageStore:
    return cast(transfer_types.ImageStore, typeurls.unpack(packed))


def _report(stream: Stream | None) -> Report:
    """Lines of progress to the client. One that does not read misses lines, and the transfer goes on."""

    def report(progress: Progress) -> None:
        if stream is None:
            return
        try:
            stream.send(to_message(progress))
        except (errors.Unavailable, errors.ResourceExhausted) as error:
            log.debug("progress: %s", error)

    return report


def to_message(progress: Progress) -> transfer_types.Progress:
    message = transfer_types.Progress(
        event=progress.event,
        name=progress.name,
        parents=progress.parents,
        progress=progress.progress,
        total=progress.total,
    )
    if progress.descriptor is not None:
        message.desc.CopyFrom(descriptors.to_message(progress.descriptor))
    return message
