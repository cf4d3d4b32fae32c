"""The Transfer service: the daemon pulls and pushes, the client watches and answers for credentials."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from google.protobuf.message import Message

from moorage_api.convert import platforms, typeurls
from moorage_api.messages import transfer, transfer_types
from moorage_client.calls import Caller
from moorage_client.plugins import Plugins
from moorage_client.streams import Named, Streams
from moorage_sdk import errors
from moorage_sdk.transfers import Authority, Credentials, Progress, Pull, Push, Registry

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
            options = transfer.TransferOptions()
            if report is not None:
                options.progress_stream = await stack.enter_async_context(self._progress(report))
            await self._transfer(source, _destination(pull), options)

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
            options = transfer.TransferOptions()
            if report is not None:
                options.progress_stream = await stack.enter_async_context(self._progress(report))
            await self._transfer(source, destination, options)

    async def _require(self) -> None:
        """Ask before a stream is opened: grpc loses the status of one that is refused while it is written to."""
        found = [plugin for plugin in await self._plugins.list([PLUGIN]) if plugin.status == "ok"]
        if not found:
            raise errors.Unimplemented(
                "transfer service: not offered by this daemon",
                hint="pulling and pushing need mooraged, or containerd 1.7 or later",
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


def _destination(pull: Pull) -> transfer_types.ImageStore:
    unpacks = [
        transfer_types.UnpackConfiguration(platform=platforms.to_message(each.platform), snapshotter=each.snapshotter)
        for each in pull.unpacks
    ]
    return transfer_types.ImageStore(
        name=pull.name or pull.reference,
        labels=pull.labels,
        platforms=[platforms.to_message(each) for each in pull.platforms],
        unpacks=unpacks,
    )


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


async def _end(task: asyncio.Task[None]) -> None:
    """A side stream that broke must not hide the outcome of the transfer itself."""
    task.cancel()
    with suppress(asyncio.CancelledError, errors.Error):
        await task
