"""pluggy tells: moments are announced, contributions collected, and no implementation harms another.

pluggy loses all results when one implementation raises, and knows no time limit. So implementations are called one by
one from its list.
"""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Iterable, Mapping
from typing import Any

import pluggy

from moorage_core.discovery import Candidate, LoadError
from moorage_core.records import DISABLED, FAILED, OK
from moorage_sdk import hooks as specs
from moorage_sdk.slots import Status

LIMIT = 2.0
"""Seconds that one implementation of a collected hook may take (NRI's ``plugin_request_timeout``)."""

log = logging.getLogger(__name__)


class Hooks:
    """The implementations that take part, and how they fare."""

    def __init__(self, limit: float = LIMIT) -> None:
        self._manager = pluggy.PluginManager(specs.PROJECT)
        self._manager.add_hookspecs(specs)
        self._limit = limit
        self._fates: dict[str, Status] = {}

    def add(self, candidates: Iterable[tuple[Candidate, str]]) -> None:
        """Load implementations; each comes with the reason for which it is disabled, or ""."""
        for candidate, refusal in candidates:
            if refusal:
                self._note(candidate.uri, DISABLED, refusal, candidate.distribution)
                continue
            try:
                self.register(candidate.uri, candidate.load(), candidate.distribution)
            except LoadError as error:
                self._note(candidate.uri, FAILED, str(error), candidate.distribution)
            except (ValueError, pluggy.PluginValidationError) as error:
                self._note(candidate.uri, FAILED, f"not fit for pluggy: {error}", candidate.distribution)

    def register(self, uri: str, implementation: object, distribution: str = "") -> None:
        """Raises ValueError for one registered before, PluginValidationError for one that fits no specification."""
        self._manager.register(implementation, uri)
        self._note(uri, OK, "", distribution)

    def statuses(self) -> tuple[Status, ...]:
        return tuple(self._fates.values())

    def announce(self, hook: str, /, **arguments: Any) -> None:
        """Tell everybody. What raises is logged and marked failed, and the next one is called."""
        for implementation in self._implementations(hook):
            try:
                implementation.function(*_chosen(implementation, arguments))
            except Exception as error:  # noqa: BLE001 - foreign code
                self._failed(implementation.plugin_name, hook, f"{type(error).__name__}: {error}")

    def chain(self, hook: str, carried: str, arguments: Mapping[str, Any]) -> Any:
        """Let each implementation replace the argument ``carried``; each works on a copy of its own."""
        value = arguments[carried]
        for implementation in self._implementations(hook):
            given = {**arguments, carried: copy.deepcopy(value)}
            answer = self._limited(hook, implementation, _chosen(implementation, given))
            value = value if answer is None else answer
        return value

    def _implementations(self, hook: str) -> list[Any]:
        """In pluggy's order of calling, which is the reverse of its list."""
        return list(reversed(getattr(self._manager.hook, hook).get_hookimpls()))

    def _limited(self, hook: str, implementation: Any, arguments: list[Any]) -> Any:
        """The answer in time, or None. An overdue implementation is abandoned: its thread cannot be stopped."""
        outcome: list[Any] = []
        faults: list[str] = []

        def call() -> None:
            try:
                outcome.append(implementation.function(*arguments))
            except Exception as error:  # noqa: BLE001 - foreign code
                faults.append(f"{type(error).__name__}: {error}")

        thread = threading.Thread(target=call, name=f"hook {implementation.plugin_name}", daemon=True)
        thread.start()
        thread.join(self._limit)
        if thread.is_alive():
            self._failed(implementation.plugin_name, hook, f"no answer within {self._limit:g} s, not called again")
            self._manager.unregister(name=implementation.plugin_name)
        elif faults:
            self._failed(implementation.plugin_name, hook, faults[0])
        return outcome[0] if outcome else None

    def _failed(self, uri: str, hook: str, reason: str) -> None:
        old = self._fates.get(uri)
        self._note(uri, FAILED, f"{hook}: {reason}", old.distribution if old else "")

    def _note(self, uri: str, state: str, reason: str, distribution: str) -> None:
        self._fates[uri] = Status(uri, state, reason, (), distribution)
        if state == FAILED:
            log.warning("hook implementation failed", extra={"id": uri, "error": reason})


def _chosen(implementation: Any, arguments: Mapping[str, Any]) -> list[Any]:
    """Those arguments that an implementation declares, in its order."""
    return [arguments[name] for name in implementation.argnames]
