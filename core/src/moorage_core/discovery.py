"""What is installed: entry points, listed without importing anything, and loaded one by one.

stevedore chooses. Its own list is not used: its cache hides newly installed plugins from a running process, misses an
edit within two minutes and drops the distribution; so every listing is fresh from importlib.metadata.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from stevedore.extension import ExtensionManager

from moorage_sdk.slots import Plugin, Slot

PREFIX = "moorage."
OURS = "moorage-"
SLOTS, CONFIG, HOOKS, PROVIDERS, VERBS = "slots", "config", "hooks", "provider", "verb"
"""Groups ``moorage.<name>`` that hold no plugins. No slot may have one of these names."""

HOOK_TYPE = "io.moorage.hooks.v1"
"""First part of the URI under which a hook implementation is disabled, or enabled when it is a third party's."""

if TYPE_CHECKING:
    _Manager = ExtensionManager[Any]
else:
    _Manager = ExtensionManager  # not subscriptable before stevedore 5.4


class LoadError(Exception):
    """An entry point did not load; the message says what went wrong in which class of error."""


@dataclass(frozen=True)
class Candidate:
    """An entry point not yet imported. ``uri`` is what its name announces; the plugin has the last word."""

    uri: str
    slot: str
    name: str
    distribution: str
    load: Callable[[], object]

    @property
    def ours(self) -> bool:
        """Whether it belongs to this project; a third party's is enabled only by a table in the configuration."""
        return self.distribution.startswith(OURS)


class _Loader(_Manager):
    """Loads exactly one entry point, so that a faulty one harms nobody else."""

    def __init__(self, entry_point: EntryPoint) -> None:
        self._entry_point = entry_point
        super().__init__(entry_point.group, on_load_failure_callback=_raise)

    def list_entry_points(self) -> list[EntryPoint]:
        return [self._entry_point]


def _raise(manager: object, entry_point: object, error: BaseException) -> None:
    raise error


def load(entry_point: EntryPoint) -> object:
    """Import what an entry point names. Raises LoadError for whatever the import raises, SystemExit included."""
    try:
        return _Loader(entry_point).extensions[0].plugin
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a plugin that calls sys.exit must not end the daemon
        raise LoadError(f'cannot load "{entry_point.value}": {type(error).__name__}: {error}') from error


class Installed:
    """All entry points of the project's groups at one moment."""

    def __init__(self, found: Iterable[EntryPoint] | None = None) -> None:
        self._groups: dict[str, list[EntryPoint]] = {}
        for entry_point in sorted(_all() if found is None else found, key=lambda each: (each.group, each.name)):
            self._groups.setdefault(entry_point.group.removeprefix(PREFIX), []).append(entry_point)

    def candidates(self, group: str) -> list[Candidate]:
        """The entry points of a group that holds no plugins, such as HOOKS."""
        return [_candidate(each, group, f"{HOOK_TYPE}.{each.name}") for each in self._groups.get(group, [])]

    def slots(self) -> tuple[dict[str, Slot[Any]], list[str]]:
        """All declared slots by name, and what is wrong with declarations."""
        slots: dict[str, Slot[Any]] = {}
        faults: list[str] = []
        for candidate in self.candidates(SLOTS):
            try:
                slot = candidate.load()
            except LoadError as error:
                faults.append(f'slot "{candidate.name}": {error}')
                continue
            if not isinstance(slot, Slot) or slot.name != candidate.name:
                faults.append(f'slot "{candidate.name}": names no slot of that name')
            else:
                slots[slot.name] = slot
        return slots, faults

    def plugins(self, slots: dict[str, Slot[Any]]) -> list[Candidate]:
        """The plugins of all slots, by slot and name.

        An entry point whose name contains a dot announces a whole URI, for plugins with ``uri_override``.
        """
        found = []
        for group, listed in self._groups.items():
            if group in slots:
                for each in listed:
                    uri = each.name if "." in each.name else f"{slots[group].type}.{each.name}"
                    found.append(_candidate(each, group, uri))
        return found


def _all() -> list[EntryPoint]:
    """All entry points of our groups. What ``entry_points()`` returns can only be iterated since Python 3.12."""
    found = entry_points()
    return [each for group in found.groups if group.startswith(PREFIX) for each in found.select(group=group)]


def _candidate(entry_point: EntryPoint, group: str, uri: str) -> Candidate:
    return Candidate(uri, group, entry_point.name, _distribution(entry_point), lambda: load(entry_point))


def _distribution(entry_point: EntryPoint) -> str:
    """Nothing also for one that is being installed this moment: its entry points may be there before its name."""
    if entry_point.dist is None or "Name" not in entry_point.dist.metadata:
        return ""
    return entry_point.dist.name


def plugin(candidate: Candidate) -> Plugin[Any, Any]:
    """Import a candidate. Raises LoadError when it is no plugin, or one of another slot."""
    loaded = candidate.load()
    if not isinstance(loaded, Plugin):
        raise LoadError(f'entry point "{candidate.name}" of {candidate.distribution or "?"}: names no Plugin')
    if loaded.slot.name != candidate.slot:
        raise LoadError(f'plugin "{loaded.uri}": fills slot "{loaded.slot.name}", not "{candidate.slot}"')
    return loaded
