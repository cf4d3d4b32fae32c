"""Which of the installed plugins take part, and with which configuration.

Disabled ones are not imported. What does not import, or announces a name twice, is a record in state ``failed``; what
the configuration says wrongly stops the daemon, all of it at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

from moorage_core import discovery
from moorage_core.discovery import Candidate, LoadError
from moorage_core.documents import Fault
from moorage_core.merges import PLUGINS
from moorage_core.records import DISABLED, PENDING, Record
from moorage_core.settings import Settings, is_empty, unread
from moorage_sdk import config
from moorage_sdk.config import Key
from moorage_sdk.slots import Plugin

_URI = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9][A-Za-z0-9_-]*)+")
"""It becomes the name of a directory."""

ALIKE = 0.93
"""URIs share so much that only those which differ by a letter or two may be meant."""

Provider = Callable[[Mapping[str, Any]], Iterable[Plugin[Any, Any]]]
"""What the group ``moorage.provider`` holds: plugins that follow from the merged configuration."""


def select(
    settings: Settings, candidates: Sequence[Candidate], providers: Sequence[Candidate]
) -> tuple[list[Record], list[Fault]]:
    """Choose, import, decode. The faults are those of tables that their plugins cannot read."""
    records = [_chosen(settings, candidate) for candidate in candidates]
    _refuse_twins(records)
    for record, candidate in zip(records, candidates, strict=True):
        if record.state == PENDING:
            _import(record, candidate, settings)
    provided, faults = _provided(settings, providers)
    records += provided
    _refuse_twins(records)
    faults += [fault for record in records if record.state == PENDING for fault in _decode(record, settings)]
    return records, faults


def warnings(settings: Settings, records: Iterable[Record], known: Iterable[str]) -> list[Fault]:
    """Tables, and entries of disabled_plugins, that name no plugin; keys that a plugin does not know.

    ``known`` are URIs besides those of ``records`` that may be named, such as those of hook implementations.
    """
    found: list[Fault] = []
    uris = {record.uri for record in records} | set(known)
    for uri in settings.top.plugins:
        if uri not in uris | set(settings.top.disabled_plugins) and not is_empty(settings.table(uri)):
            found.append(_unknown(settings, (PLUGINS, uri), config.dotted((PLUGINS, uri)), uri, uris))
    for index, uri in enumerate(settings.top.disabled_plugins):
        if uri not in uris:
            found.append(_unknown(settings, ("disabled_plugins", index), f'disabled plugin "{uri}"', uri, uris))
    for record in records:
        if record.plugin and record.state == PENDING:
            decoded = config.decode(record.plugin.config, settings.table(record.uri), (PLUGINS, record.uri))
            found += _unread(settings, decoded.unknown)
    return found + _entries(settings, records)


def _entries(settings: Settings, records: Iterable[Record]) -> list[Fault]:
    """Entries of top-level tables that no plugin takes, and keys within entries."""
    found: list[Fault] = []
    tables = [
        table for record in records if record.plugin and record.state == PENDING for table in record.plugin.tables
    ]
    for name in dict.fromkeys(table.name for table in tables):
        given = settings.merged.table.get(name, {})
        same = [table for table in tables if table.name == name]
        found += _unread(settings, same[0].decode(given).unknown)
        if all(table.closed for table in same):
            known = {entry for table in same for entry in table.entries}
            strange = [entry for entry in given if entry not in known]
            found += _unread(settings, [config.Unknown((name, each), config.nearest(each, known)) for each in strange])
    return found


def _unread(settings: Settings, unknown: Iterable[config.Unknown]) -> list[Fault]:
    empty = (each for each in unknown if is_empty(_at(settings.merged.table, each.path)) and settings.lack(each.path))
    quiet = {each.path for each in empty}
    return [
        Fault(settings.origin(each.path), unread(settings.absent, each)) for each in unknown if each.path not in quiet
    ]


def _at(table: Any, path: Key) -> Any:
    for part in path:
        table = table[part]
    return table


def missing(settings: Settings, records: Sequence[Record]) -> list[Fault]:
    """Entries of required_plugins that name no plugin which could start."""
    uris = {record.uri: record for record in records}
    uris |= {record.uri: record for record in records if record.state != DISABLED}
    found: list[Fault] = []
    for index, uri in enumerate(settings.top.required_plugins):
        key: Key = ("required_plugins", index)
        if uri not in uris:
            found.append(_unknown(settings, key, f'required plugin "{uri}"', uri, set(uris)))
        elif uris[uri].state == DISABLED:
            found.append(Fault(settings.origin(key), f'required plugin "{uri}": {uris[uri].reason}'))
    return found


def refusal(settings: Settings, uri: str, ours: bool) -> str:
    """Why a plugin of this URI is disabled; empty when it is not."""
    if uri in settings.top.disabled_plugins:
        index = settings.top.disabled_plugins.index(uri)
        return f"disabled by disabled_plugins ({settings.origin(('disabled_plugins', index))})"
    if not ours and uri not in settings.top.plugins:
        return f"of a third party, enabled by a table [{config.dotted((PLUGINS, uri))}] in the configuration"
    return ""


def _unknown(settings: Settings, key: Key, subject: str, uri: str, uris: set[str]) -> Fault:
    reason = settings.lack((PLUGINS, uri))
    if reason:
        return Fault(settings.origin(key), f"{subject}: {reason}")
    like = config.nearest(uri, uris, ALIKE)
    hint = f', did you mean "{like}"?' if like else ""
    return Fault(settings.origin(key), f"{subject}: no such plugin is installed{hint}")


def _chosen(settings: Settings, candidate: Candidate) -> Record:
    record = Record(candidate.uri, candidate.slot, candidate.name.rpartition(".")[2], candidate.distribution)
    reason = refusal(settings, candidate.uri, candidate.ours)
    if reason:
        record.state, record.reason = DISABLED, reason
    return record


def _refuse_twins(records: Sequence[Record]) -> None:
    """Of two plugins with one URI neither is right."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        if record.state == PENDING:
            groups.setdefault(record.uri, []).append(record)
    for twins in groups.values():
        if len(twins) > 1:
            owners = " and ".join(sorted(twin.distribution or "?" for twin in twins))
            for twin in twins:
                twin.fail(f"installed more than once, by {owners}: uninstall one")


def _import(record: Record, candidate: Candidate, settings: Settings) -> None:
    try:
        plugin = discovery.plugin(candidate)
    except LoadError as error:
        record.fail(str(error))
        return
    _adopt(record, plugin)
    reason = refusal(settings, record.uri, ours=True)
    if record.state == PENDING and reason:  # its entry point did not announce the URI under which it is disabled
        record.state, record.reason = DISABLED, reason


def _adopt(record: Record, plugin: Plugin[Any, Any]) -> None:
    record.plugin, record.uri, record.id = plugin, plugin.uri, plugin.id
    if not _URI.fullmatch(plugin.uri):
        record.fail(f'"{plugin.uri}" is no plugin URI')


def _provided(settings: Settings, providers: Sequence[Candidate]) -> tuple[list[Record], list[Fault]]:
    found: list[Record] = []
    faults: list[Fault] = []
    for candidate in providers:
        if not candidate.ours and candidate.uri not in settings.top.plugins:
            continue
        plugins, complaints = _ask(candidate, settings)
        faults += complaints
        for plugin in plugins:
            record = Record(plugin.uri, plugin.slot.name, plugin.id, candidate.distribution)
            _adopt(record, plugin)
            reason = refusal(settings, plugin.uri, ours=True)
            if record.state == PENDING and reason:
                record.state, record.reason = DISABLED, reason
            found.append(record)
    return found, faults


def _ask(candidate: Candidate, settings: Settings) -> tuple[list[Plugin[Any, Any]], list[Fault]]:
    """A provider that fails is a fault of the configuration, which is all that it reads."""
    try:
        provider = cast(Provider, candidate.load())
        return list(provider(settings.merged.table)), []
    except config.Refused as error:
        return [], [Fault(settings.origin(fault.path), str(fault)) for fault in error.faults]
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - foreign code
        return [], [Fault(None, f'provider "{candidate.name}" of {candidate.distribution}: {error}')]


def _decode(record: Record, settings: Settings) -> list[Fault]:
    """Decode a plugin's table into its record. A class that is no configuration class fails the plugin."""
    assert record.plugin is not None
    try:
        decoded = config.decode(record.plugin.config, settings.table(record.uri), (PLUGINS, record.uri))
    except (TypeError, NameError) as error:
        record.fail(f"configuration class {record.plugin.config!r}: {error}")
        return []
    record.config = decoded.value
    faults = list(decoded.faults)
    for table in record.plugin.tables:
        entries = table.decode(settings.merged.table.get(table.name, {}))
        faults += entries.faults
        record.tables[table.name] = config.encode({**table.entries, **(entries.value or {})})
    return [Fault(settings.origin(fault.path), str(fault)) for fault in faults]
