"""How each plugin fares: made in order, ok or skipped or failed with a reason, closed in reverse."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from moorage_core import graphs
from moorage_core.contexts import Context
from moorage_core.hooks import Hooks
from moorage_core.records import FAILED, OK, PENDING, SKIP, Record
from moorage_core.settings import Settings
from moorage_sdk import config, errors
from moorage_sdk.slots import Daemon, Skip, Status

log = logging.getLogger(__name__)


class Stopped(Exception):
    """The daemon was asked to stop while plugins were being made."""


class Kernel:
    """All plugins of a daemon, from choice to end."""

    def __init__(self, settings: Settings, daemon: Daemon, records: Iterable[Record], hooks: Hooks) -> None:
        self.settings = settings
        self.daemon = daemon
        self.hooks = hooks
        self._records = list(records)
        self._made: list[Record] = []

    def records(self, slot: str) -> list[Record]:
        return [record for record in self._records if record.slot == slot]

    def statuses(self) -> tuple[Status, ...]:
        return (*(record.status() for record in self._records), *self.hooks.statuses())

    def effective(self, uri: str) -> Mapping[str, Any]:
        """What plugins go by, defaults included: one's own table, or a top-level one that some read.

        Of a plugin that is not imported, or a table that nobody declared, what the files say.
        """
        for record in self._records:
            if record.uri == uri and record.config is not None:
                return dict(config.encode(record.config))
        declared = [record.tables[uri] for record in self._records if uri in record.tables]
        if declared:
            return {name: entry for table in declared for name, entry in table.items()}
        named = self.settings.merged.table.get(uri)
        return named if isinstance(named, dict) else self.settings.table(uri)

    def chain(self, hook: str, carried: str, arguments: Mapping[str, Any]) -> Any:
        return self.hooks.chain(hook, carried, arguments)

    def make(self, stopping: Callable[[], bool] = lambda: False) -> None:
        """Make every pending plugin. Raises Stopped, and errors.FailedPrecondition when a required one is not ok.

        Whatever a plugin raises stays with it, and with those that cannot do without it.
        """
        required = set(self.settings.top.required_plugins)
        for record in self._records:
            if record.state == FAILED:
                self._report(record, None, required)
        for record in self._ordered(required):
            if stopping():
                raise Stopped
            self._make(record, required)

    def close(self) -> None:
        """Close what was made, last first. One that raises does not keep the others open."""
        while self._made:
            record = self._made.pop()
            _close(record)
            record.state, record.reason, record.instance = SKIP, "closed", None

    def _ordered(self, required: set[str]) -> list[Record]:
        pending = {record.uri: record for record in self._records if record.state == PENDING}
        requires: dict[str, list[str]] = {}
        for uri, record in pending.items():
            assert record.plugin is not None
            slots = {slot.name for slot in record.plugin.requires}
            requires[uri] = [other.uri for other in pending.values() if other.slot in slots]
        order = graphs.sort(requires)
        for uri, way in order.cycles.items():
            pending[uri].fail(f"requires itself: {' -> '.join(way)}")
            self._report(pending[uri], None, required)
        return [pending[uri] for uri in order.order if uri not in order.cycles]

    def _make(self, record: Record, required: set[str]) -> None:
        assert record.plugin is not None
        log.info("loading plugin", extra={"id": record.uri, "type": record.type})
        try:
            instance = record.plugin.make(Context(self, record), record.config)
        except KeyboardInterrupt:
            raise
        except Skip as error:
            record.state, record.reason = SKIP, str(error)
            self._report(record, error, required)
        except BaseException as error:  # noqa: BLE001 - foreign code, and sys.exit in a plugin must not end the daemon
            record.fail(_reason(error))
            self._report(record, error, required)
        else:
            record.state, record.instance = OK, instance
            self._made.append(record)

    def _report(self, record: Record, error: BaseException | None, required: set[str]) -> None:
        _close(record)
        fields = {"id": record.uri, "type": record.type, "error": record.reason}
        if record.state == SKIP:
            log.info("skip loading plugin", extra=fields)
        else:
            unexpected = error is not None and not isinstance(error, errors.Error | OSError)
            log.warning("failed to load plugin", extra=fields, exc_info=error if unexpected else None)
        if record.uri in required:
            raise errors.FailedPrecondition(
                f'required plugin "{record.uri}": {record.state}: {record.reason}',
                hint="mend it, or take it out of required_plugins",
            )


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f'"{os.fsdecode(error.filename)}": {error.strerror}'
    return str(error) if isinstance(error, errors.Error) else f"{type(error).__name__}: {error}"


def _close(record: Record) -> None:
    while record.closers:
        try:
            record.closers.pop()()
        except Exception:  # foreign code; the other plugins must be closed all the same
            log.exception("failed to close plugin", extra={"id": record.uri})
