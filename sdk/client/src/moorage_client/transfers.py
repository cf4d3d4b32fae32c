"""The Transfer service: the daemon pulls and pushes, the client watches and answers for credentials."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from google.protobuf.message import Message

from moorage_api.convert import platforms, typeurls
from moorage_api.messages import transfer, transfer_types
from moorage_client import byte_streams, requests
from moorage_client.byte_streams import Source
from moorage_client.calls import Caller
from moorage_client.plugins import Plugins
from moorage_client.streams import Named, Streams
from moorage_sdk import errors
from moorage_sdk.transfers import (
    Authority,
    Credentials,
    Export,
    ExtraName,
    Progress,
    Pull,
    Push,
    Registry,
    Store,
)

SERVICE = "containerd.services.transfer.v1.Transfer"
PLUGIN = "type==io.containerd.grpc.v1,id==transfer"
"""How introspection tells whether the service is there."""

_REALM = re.compile(r'realm="([^"]*)"', re.IGNORECASE)

Report = Callable[[Progress], None]
"""Called on the client's loop for every line of progress."""


class Transfers:
    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._streams = Streams(caller)
        self._plugins = Plugins(caller)

    async def pull(self, pull: Pull, report: Report | None = None) -> None:
        """Fetch an image from its registry, unpack it as wished and name it. All of it happens in the daemon.

        The authority is asked in a thread, so it may prompt. Raises what ``moorage_sdk.transfers.Transfer.pull`` does,
        and errors.Unimplemented with a hint by a daemon without the service.
        """
        await self._require()
        async with AsyncExitStack() as stack:
            source = await self._registry(pull.reference, pull.registry, stack)
            await self._transfer(source, requests.pulled(pull), await self._options(report, stack))

    async def push(self, push: Push, report: Report | None = None) -> None:
        """Bring an image of the store to a registry, without what is there already. The daemon does it.

        The authority is asked as by ``pull``. Raises what ``moorage_sdk.transfers.Transfer.push`` does, and
        errors.Unimplemented with a hint by a daemon without the service.
        """
        await self._require()
        chosen = [platforms.to_message(each) for each in push.platforms]
        source = transfer_types.ImageStore(name=push.name or push.reference, platforms=chosen)
        async with AsyncExitStack() as stack:
            destination = await self._registry(push.reference, push.registry, stack)
            await self._transfer(source, destination, await self._options(report, stack))

    async def import_archive(self, source: Source, store: Store, report: Report | None = None) -> list[str]:
        """Send an archive; the daemon stores, unpacks and names what is in it. The names.

        Raises what ``moorage_sdk.transfers.Archiver.import_archive`` does, and errors.Unimplemented as ``pull``.
        """
        await self._require()
        names: list[str] = []

        def heard(progress: Progress) -> None:
            if progress.event == "saved":
                names.append(progress.name)
            if report is not None:
                report(progress)

        async with AsyncExitStack() as stack:
            options = await self._options(heard, stack)
            stream = await stack.enter_async_context(self._streams.open("import"))
            archive = transfer_types.ImageImportStream(stream=stream.id)
            asking = self._transfer(archive, requests.store(store), options)
            await _together(asking, byte_streams.send(stream, source))
        return names

    async def export_archive(self, export: Export, report: Report | None = None) -> None:
        """Receive an archive of images. Raises what ``moorage_sdk.transfers.Archiver.export_archive`` does.

        Raises errors.Unimplemented as ``pull``, and OSError when the archive cannot be written.
        """
        await self._require()
        async with AsyncExitStack() as stack:
            options = await self._options(report, stack)
            stream = await stack.enter_async_context(self._streams.open("export"))
            receiver = byte_streams.Receiver(stream, export.sink)
            asking = self._transfer(*requests.exported(export, stream.id), options)
            await _together(asking, receiver.run(), receiver)

    async def tag(self, name: str, further: Sequence[str]) -> None:
        """Give an image further names. Raises errors.NotFound, and errors.Unimplemented as ``pull``."""
        await self._require()
        store = Store(extra_names=tuple(ExtraName(each) for each in further))
        await self._transfer(transfer_types.ImageStore(name=name), requests.store(store), transfer.TransferOptions())

    async def offered(self) -> bool:
        """Whether the daemon has the service."""
        return bool([plugin for plugin in await self._plugins.list([PLUGIN]) if plugin.status == "ok"])

    async def _options(self, report: Report | None, stack: AsyncExitStack) -> transfer.TransferOptions:
        options = transfer.TransferOptions()
        if report is not None:
            options.progress_stream = await stack.enter_async_context(self._progress(report))
        return options

    async def _require(self) -> None:
        """Ask before a stream is opened: grpc loses the status of one that is refused while it is written to."""
        if not await self.offered():
            raise errors.Unimplemented(
                "transfer service: not offered by this daemon",
                hint="pulling, pushing and saving need mooraged, or containerd 1.7 or later",
            )

    async def _transfer(self, source: Message, destination: Message, options: transfer.TransferOptions) -> None:
        request = transfer.TransferRequest(
            source=typeurls.pack(source), destination=typeurls.pack(destination), options=options
        )
        await self._caller.call(SERVICE, "Transfer", request)

    async def _registry(self, reference: str, registry: Registry, stack: AsyncExitStack) -> transfer_types.OCIRegistry:
        resolver = transfer_types.RegistryResolver(
            headers=registry.headers, host_dir=registry.config_path, default_scheme=registry.default_scheme
        )
        if registry.authority is not None:
            resolver.auth_stream = await stack.enter_async_context(self._credentials(registry.authority))
        return transfer_types.OCIRegistry(reference=reference, resolver=resolver)

    @asynccontextmanager
    async def _progress(self, report: Report) -> AsyncIterator[str]:
        async with self._streams.open("progress") as stream:
            task = asyncio.create_task(_relay(stream, report))
            try:
                yield stream.id
                # The daemon ends the stream behind its last line, and may do so a little after its answer.
                await asyncio.wait([task], timeout=_LAST_LINES)
            finally:
                await _end(task)

    @asynccontextmanager
    async def _credentials(self, authority: Authority) -> AsyncIterator[str]:
        async with self._streams.open("creds") as stream:
            task = asyncio.create_task(_answer(stream, authority))
            try:
                yield stream.id
            finally:
                await _end(task)


_LAST_LINES = 1.0
"""Seconds to wait for progress that is still under way when the transfer is over."""


async def _together(
    asking: Awaitable[None], moving: Awaitable[None], receiver: byte_streams.Receiver | None = None
) -> None:
    """Move bytes while the daemon is at work. What it says of a failure comes before what became of the stream."""
    work, bytes_ = asyncio.ensure_future(asking), asyncio.ensure_future(moving)
    try:
        await asyncio.wait([work, bytes_], return_when=asyncio.FIRST_COMPLETED)
        failure = bytes_.exception() if bytes_.done() else None
        if failure is not None and not isinstance(failure, errors.Error):
            raise failure
        await work
        if receiver is not None:
            await _last_bytes(receiver, bytes_)
    finally:
        await _end(work)
        await _end(bytes_)


async def _last_bytes(receiver: byte_streams.Receiver, receiving: asyncio.Future[None]) -> None:
    """mooraged ends the stream behind the last byte; containerd does not, and only stops to send."""
    while not receiving.done():
        before = receiver.received
        await asyncio.wait([receiving], timeout=_LAST_LINES)
        if receiver.received == before:
            break
    if receiving.done():
        receiving.result()
    else:
        receiver.flush()


async def _relay(stream: Named, report: Report) -> None:
    while (message := await stream.receive()) is not None:
        if isinstance(message, transfer_types.Progress):
            parents = tuple(message.parents)
            report(Progress(message.event, message.name, parents, message.progress, message.total))


async def _answer(stream: Named, authority: Authority) -> None:
    while (message := await stream.receive()) is not None:
        if isinstance(message, transfer_types.AuthRequest):
            realm = next((found[1] for each in message.wwwauthenticate if (found := _REALM.search(each))), "")
            credentials = await asyncio.to_thread(authority, message.host, message.reference, realm)
            await stream.send(_response(credentials or Credentials()))


def _response(credentials: Credentials) -> transfer_types.AuthResponse:
    if credentials.header:
        return transfer_types.AuthResponse(authType=transfer_types.HEADER, secret=credentials.header)
    if credentials.username:
        return transfer_types.AuthResponse(
            authType=transfer_types.CREDENTIALS, username=credentials.username, secret=credentials.secret
        )
    kind = transfer_types.REFRESH if credentials.secret else transfer_types.NONE
    return transfer_types.AuthResponse(authType=kind, secret=credentials.secret)


async def _end(task: asyncio.Future[None]) -> None:
    """A side stream that broke must not hide the outcome of the transfer itself."""
    task.cancel()
    with suppress(asyncio.CancelledError, errors.Error, OSError):
        await task
