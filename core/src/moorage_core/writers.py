"""TOML text from plain tables. This prints what is effective, it does not edit files: comments are ours."""

from __future__ import annotations

import datetime
import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from moorage_sdk.config import Key, dotted, quoted

_CONTROL = re.compile(r"\x7f")


def dumps(table: Mapping[str, Any], comments: Mapping[Key, str] | None = None) -> str:
    """A document that tomllib reads back as ``table``, with a comment above each key that has one.

    Raises TypeError for a value that TOML does not know.
    """
    return "\n".join(_table(table, (), comments or {})).strip("\n") + "\n"


def _table(table: Mapping[str, Any], path: Key, comments: Mapping[Key, str]) -> Iterator[str]:
    plain = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    for index, (key, value) in enumerate(plain.items()):
        comment = comments.get((*path, key), "")
        if comment and index:
            yield ""
        yield from _comment(comment)
        yield f"{quoted(key)} = {_value(value)}"
    for key, value in table.items():
        if isinstance(value, Mapping):
            inner: Key = (*path, key)
            comment = comments.get(inner, "")
            if comment or not value or not all(isinstance(item, Mapping) for item in value.values()):
                yield ""
                yield from _comment(comment)
                yield f"[{dotted(inner)}]"
            yield from _table(value, inner, comments)


def _comment(text: str) -> Iterator[str]:
    for line in text.splitlines():
        yield f"# {line}".rstrip()


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return _float(value)
        case str():
            return _CONTROL.sub(r"\\u007f", json.dumps(value, ensure_ascii=False))
        case datetime.datetime() | datetime.date() | datetime.time():
            return value.isoformat()
        case list() | tuple():
            return "[" + ", ".join(_value(item) for item in value) + "]"
        case Mapping():
            return "{" + ", ".join(f"{quoted(key)} = {_value(item)}" for key, item in value.items()) + "}"
    raise TypeError(f"{type(value).__name__} is no type of TOML")


def _float(value: float) -> str:
    if math.isnan(value) or math.isinf(value):
        return str(value)
    return repr(value)
