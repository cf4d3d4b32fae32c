"""Events that are as durable as the changes they announce.

A row per event is written in the change's own transaction. After the commit the event goes to the exchange, on the
writer's thread, which keeps the order. Published rows are removed by the next transaction that has events, so they cost
no commit of their own. After a crash all rows that are left are published: an event may come twice, with the timestamp
of the first time, but none is lost. A store that is closed in order keeps none.
"""

from __future__ import annotations

import base64
import logging
import time
from collections.abc import Sequence
from functools import partial

from moorage_kv import ReadTxn, WriteTxn
from moorage_metadata_lmdb import tables
from moorage_metadata_lmdb.changes import Event
from moorage_sdk import errors
from moorage_sdk.events import Envelope, Exchange, Payload

_log = logging.getLogger(__name__)


class Outbox:
    """Writes events into transactions and publishes them on ``exchange``."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._published = 0
        self._last_time = 0

    def replay(self, txn: ReadTxn) -> None:
        """Publish what an earlier process could not; called before the first change."""
        for name, value in txn.table(tables.OUTBOX).scan():
            self._publish(int.from_bytes(name, "big"), _decode(value))

    def record(self, txn: WriteTxn, events: Sequence[Event]) -> None:
        """Write the rows of ``events`` and have them published after the commit."""
        if not events:
            return
        self.trim(txn)
        table = txn.table(tables.OUTBOX)
        for event in events:
            number, envelope = txn.next("event"), self._envelope(event)
            table.put(number.to_bytes(8, "big"), _encode(envelope))
            txn.after_commit(partial(self._publish, number, envelope))

    def trim(self, txn: WriteTxn) -> None:
        """Remove the rows of published events."""
        table = txn.table(tables.OUTBOX)
        for name in table.scan_keys():
            if int.from_bytes(name, "big") > self._published:
                break
            table.delete(name)

    def _envelope(self, event: Event) -> Envelope:
        # Never backwards within one process, whatever the wall clock does.
        self._last_time = max(time.time_ns(), self._last_time + 1)
        payload = Payload(event.message.DESCRIPTOR.full_name, event.message.SerializeToString())
        return Envelope(self._last_time, event.namespace, event.topic, payload)

    def _publish(self, number: int, envelope: Envelope) -> None:
        try:
            self._exchange.forward(envelope)
        except errors.Error:
            _log.exception("event %s not published", envelope.topic)
        self._published = number


def _encode(envelope: Envelope) -> bytes:
    return tables.pack(
        {
            "timestamp": envelope.timestamp,
            "namespace": envelope.namespace,
            "topic": envelope.topic,
            "type": envelope.event.type_url,
            "value": base64.b64encode(envelope.event.value).decode(),
        }
    )


def _decode(value: bytes) -> Envelope:
    fields = tables.unpack(value)
    payload = Payload(fields["type"], base64.b64decode(fields.get("value", "")))
    return Envelope(fields["timestamp"], fields["namespace"], fields["topic"], payload)
