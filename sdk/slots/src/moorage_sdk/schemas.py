"""JSON schemas and field descriptions of configuration classes (``moorage_sdk.config``).

Apart from the decoder because it reads source code, which the daemon never needs to do.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import textwrap
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from moorage_sdk import config
from moorage_sdk.durations import Duration

_SCALARS: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    Path: {"type": "string"},
    Duration: {"type": "string", "pattern": r"^[-+]?(0|([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$"},
}


def schema(cls: type[Any]) -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of tables that ``cls`` reads without a warning."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_table(cls)}


def docs(cls: type[Any]) -> dict[str, str]:
    """Field name to the docstring under it, in source order; fields without one are absent.

    Empty where the source cannot be read, as in a frozen or interactive program.
    """
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    except (OSError, SyntaxError, TypeError):
        return {}
    body = next((node.body for node in tree.body if isinstance(node, ast.ClassDef)), [])
    found: dict[str, str] = {}
    for node, following in itertools.pairwise(body):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            match following:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    found[node.target.id] = inspect.cleandoc(text)
    return found


def _table(cls: type[Any]) -> dict[str, Any]:
    described, hints, plain = docs(cls), config.hints(cls), config.defaults(cls)
    properties: dict[str, Any] = {}
    required: list[str] = []
    for field in dataclasses.fields(cls):
        key = config.key_of(field)
        entry = dict(_type(hints[field.name]))
        if field.name in described:
            entry["description"] = described[field.name]
        if key in plain:
            entry["default"] = plain[key]
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            required.append(key)
        properties[key] = entry
    result: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return result | ({"required": required} if required else {})


def _type(kind: Any) -> dict[str, Any]:
    kind = config.without_none(kind)
    origin = typing.get_origin(kind) or kind
    if kind is Any or kind is object:
        return {}
    if dataclasses.is_dataclass(kind):
        return _table(typing.cast(type[Any], kind))
    if origin is Literal:
        return {"enum": list(typing.get_args(kind))}
    if kind in _SCALARS:
        return _SCALARS[kind]
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _type((typing.get_args(kind) or (str, Any))[1])}
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return {"type": "array", "items": _type(config.element(kind))}
    raise TypeError(f"{kind} is no type of a configuration class")
