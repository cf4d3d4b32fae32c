"""Feeding sinks: a thread each, so that none waits for another and no publisher waits for any."""

from __future__ import annotations

import logging
import threading

from moorage_sdk import errors
from moorage_sdk.events import Envelope, Exchange, Sink, Subscription

_log = logging.getLogger(__name__)


class Feeder:
    """Delivers the events of ``exchange`` to ``sink``, in order, until ``stop``."""

    def __init__(self, exchange: Exchange, name: str, sink: Sink) -> None:
        self._exchange = exchange
        self._name = name
        self._sink = sink
        self._awake = threading.Event()
        self._stopping = False
        self._subscription: Subscription = exchange.subscribe(self._awake.set)
        self._thread = threading.Thread(target=self._run, name=f"sink-{name}", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Deliver what is queued, for at most ``timeout`` seconds."""
        self._stopping = True
        self._awake.set()
        self._thread.join(timeout)
        self._subscription.close()
        if self._thread.is_alive():
            _log.error("sink %s still busy after %g seconds: events lost", self._name, timeout)

    def _run(self) -> None:
        while True:
            self._awake.wait()
            self._awake.clear()
            stopping = self._stopping
            for envelope in self._take():
                self._deliver(envelope)
            if stopping:
                return

    def _take(self) -> list[Envelope]:
        try:
            return self._subscription.take()
        except errors.ResourceExhausted:
            _log.error("sink %s fell behind: events lost", self._name)
            self._subscription.close()
            self._subscription = self._exchange.subscribe(self._awake.set)
            return []

    def _deliver(self, envelope: Envelope) -> None:
        try:
            self._sink.deliver(envelope)
        except Exception:  # noqa: BLE001 - a sink is foreign code; the event is lost for it alone
            _log.exception("sink %s did not take %s", self._name, envelope.topic)
