"""What a plugin gets to see of the kernel: ``moorage_sdk.slots.InitContext``, made real."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, TypeVar, cast

from moorage_core.directories import private
from moorage_core.records import DISABLED, OK, Record
from moorage_sdk import errors
from moorage_sdk.slots import Daemon, Slot, Status

T = TypeVar("T")


class House(Protocol):
    """What a context asks the kernel for."""

    @property
    def daemon(self) -> Daemon: ...
    def records(self, slot: str) -> list[Record]: ...
    def statuses(self) -> tuple[Status, ...]: ...
    def effective(self, uri: str) -> Mapping[str, Any]: ...
    def chain(self, hook: str, carried: str, arguments: Mapping[str, Any]) -> Any: ...


class Context:
    """One plugin's window. Stays valid after ``make``; what it hands out is the state of that moment."""

    def __init__(self, house: House, record: Record) -> None:
        self._house = house
        self._record = record

    @property
    def uri(self) -> str:
        return self._record.uri

    @property
    def root(self) -> Path:
        return private(self._house.daemon.root / self.uri)

    @property
    def state(self) -> Path:
        return private(self._house.daemon.state / self.uri)

    @property
    def daemon(self) -> Daemon:
        return self._house.daemon

    def one(self, slot: Slot[T]) -> T:
        known = self._known(slot)
        working = [record for record in known if record.state == OK]
        if len(working) > 1:
            uris = " and ".join(f'"{record.uri}"' for record in working)
            raise errors.FailedPrecondition(
                f'slot "{slot.name}": filled more than once, by {uris}', hint="disable all but one in disabled_plugins"
            )
        if not working:
            raise errors.FailedPrecondition(f'slot "{slot.name}": no working plugin{_reasons(known)}')
        return cast(T, working[0].instance)

    def get(self, slot: Slot[T], id: str) -> T:
        for record in self._known(slot):
            if record.id == id:
                if record.state != OK:
                    raise errors.NotFound(record.verdict)
                return cast(T, record.instance)
        raise errors.NotFound(f'plugin "{slot.type}.{id}": not installed')

    def all(self, slot: Slot[T]) -> Mapping[str, T]:
        return {record.id: record.instance for record in self._known(slot) if record.state == OK}

    def table(self, uri: str) -> Mapping[str, Any]:
        return MappingProxyType(dict(self._house.effective(uri)))

    def statuses(self) -> tuple[Status, ...]:
        return self._house.statuses()

    def export(self, key: str, value: str) -> None:
        self._record.exports[key] = value

    def capability(self, name: str) -> None:
        if name not in self._record.capabilities:
            self._record.capabilities.append(name)

    def platform(self, specifier: str) -> None:
        if specifier not in self._record.platforms:
            self._record.platforms.append(specifier)

    def on_close(self, close: Callable[[], None]) -> None:
        self._record.closers.append(close)

    def chain(self, hook: str, carried: str, /, **arguments: Any) -> Any:
        """``moorage_sdk.hooks.Chains``."""
        return self._house.chain(hook, carried, arguments)

    def _known(self, slot: Slot[Any]) -> list[Record]:
        plugin = self._record.plugin
        if plugin is None or slot not in plugin.requires:
            raise errors.FailedPrecondition(
                f'plugin "{self.uri}": asks for slot "{slot.name}", which it does not require'
            )
        return self._house.records(slot.name)


def _reasons(records: list[Record]) -> str:
    told = [record.verdict for record in records if record.state != DISABLED] or [record.verdict for record in records]
    return f" ({'; '.join(told)})" if told else " (none is installed)"
