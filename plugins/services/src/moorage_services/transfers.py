"""``containerd.services.transfer.v1``: images between registries, archives on a stream, and the store.

Other pairs of source and destination answer Unimplemented, which clients understand.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from google.protobuf.empty_pb2 import Empty

from moorage_api.messages import transfer as messages
from moorage_sdk.metadata import Metadata
from moorage_sdk.transfers import Transfer
from moorage_services.calls import Call, Handler
from moorage_services.errands import Errand, Kind
from moorage_services.pools import Pool
from moorage_services.progresses import report_to
from moorage_services.registers import Streams

PATIENCE = 2.0
"""Seconds that the answer waits for a client to read the last lines of progress, or the last bytes of an archive."""


class TransferService:
    """A pool for each kind of work: who sends an archive and then does not must not keep others from pulling."""

    name = "containerd.services.transfer.v1.Transfer"

    def __init__(self, metadata: Metadata, transfer: Transfer, streams: Streams, pools: Mapping[Kind, Pool]) -> None:
        self._metadata = metadata
        self._transfer = transfer
        self._streams = streams
        self._pools = pools

    def handlers(self) -> Mapping[str, Handler]:
        return {"Transfer": self.transfer}

    async def transfer(self, request: messages.TransferRequest, call: Call) -> Empty:
        """Raises errors.Unimplemented for a pair of ends that this daemon does not connect, and as Transfer does."""
        name = request.options.progress_stream
        progress = self._streams.get(call.namespace, name) if name else None
        errand = Errand(self._transfer, self._streams, call.view(self._metadata), report_to(progress))
        try:
            await self._run(errand, request)
        finally:
            if progress is not None:
                progress.close()
        for stream in (*errand.streams, *([progress] if progress is not None else [])):
            await stream.written(PATIENCE)
        return Empty()

    async def _run(self, errand: Errand, request: messages.TransferRequest) -> None:
        kind, work = errand.work(request.source, request.destination)
        try:
            await self._pools[kind].run(work)
        except asyncio.CancelledError:
            errand.give_up()
            raise
