"""A whole configuration as a file of the newest version, each setting with its description above it."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from moorage_core import writers
from moorage_core.daemons import Plan
from moorage_core.documents import NEWEST
from moorage_core.merges import PLUGINS
from moorage_core.records import Record
from moorage_core.settings import Top
from moorage_sdk import config, schemas
from moorage_sdk.config import Key


def document(planned: Plan, imports: Sequence[str]) -> str:
    """The kernel's part, what plugins own beside it, and the table of each plugin, that of a disabled one as it is."""
    settings = planned.settings
    top = config.encode(settings.top) | {"imports": list(imports)}
    others = {key: value for key, value in settings.merged.table.items() if key not in top}
    for record in planned.records:
        for name, table in record.tables.items():
            (top if name in top else others)[name] = {**(top | others).get(name, {}), **table}
    tables = {uri: dict(settings.table(uri)) for uri in settings.top.plugins}
    tables |= {each.uri: config.encode(each.config) for each in planned.records if each.config is not None}
    del top[PLUGINS]
    whole = {"version": NEWEST} | top | others | {PLUGINS: {uri: tables[uri] for uri in sorted(tables)}}
    return writers.dumps(whole, comments(planned.records))


def comments(records: Sequence[Record]) -> dict[Key, str]:
    """The description of every setting by its path."""
    found = _described(Top, ())
    for record in records:
        if record.config is not None:
            found |= _described(type(record.config), (PLUGINS, record.uri))
        for table in record.plugin.tables if record.plugin else ():
            entries = record.tables.get(table.name, {})
            if dataclasses.is_dataclass(table.kind) and entries:  # once is enough, above the first
                found |= _described(table.kind, (table.name, next(iter(entries))))
    return found


def _described(cls: type[Any], path: Key) -> dict[Key, str]:
    found: dict[Key, str] = {}
    hints = config.hints(cls)
    docs: Mapping[str, str] = schemas.docs(cls)
    for field in dataclasses.fields(cls):
        key: Key = (*path, config.key_of(field))
        if field.name in docs:
            found[key] = docs[field.name].replace("``", "`")
        inner = config.without_none(hints[field.name])
        if dataclasses.is_dataclass(inner):
            found |= _described(typing.cast(type[Any], inner), key)
    return found
