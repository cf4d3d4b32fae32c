"""Configuration: a frozen dataclass beside its plugin, and everything else derived from it.

::

    @dataclass(frozen=True)
    class Config:
        root_path: str = ""
        \"\"\"Where layers are kept; empty is the plugin's own directory.\"\"\"
        schedule_delay: Duration = Duration(0.0)
        mount_options: tuple[str, ...] = ()

Field types: ``str``, ``int``, ``float``, ``bool``, ``Path``, ``Duration``, ``Literal``, ``Any``, another dataclass,
``list[X]``, ``tuple[X, ...]``, ``dict[str, X]`` and ``X | None``. A key is the field's name, or what its metadata call
``key``. Nothing is coerced: ``"1"`` is no integer and ``1`` no boolean (an integer is a float, as in TOML's other
readers). As in Go, what a file says is laid *over* the default: keys that are left out keep it, also inside tables. A
``__post_init__`` may raise ValueError or errors.InvalidArgument to refuse a combination.

All faults are found at once. The JSON schema and the descriptions of fields come from ``moorage_sdk.schemas``.
"""

from __future__ import annotations

import dataclasses
import json
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar, Union

from moorage_sdk import errors
from moorage_sdk.durations import Duration

C = TypeVar("C")
Key = tuple[str | int, ...]
"""Where a value stands: table names and keys, and the indexes of array elements."""

_MISSING: Any = dataclasses.MISSING
_INT_LIMIT = 2**63
_BARE = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Fault:
    """A value that cannot be used."""

    path: Key
    message: str

    def __str__(self) -> str:
        return f"{dotted(self.path)}: {self.message}"


class Refused(Exception):
    """What a provider of plugins raises (group ``moorage.provider``): values that no plugin can be made from."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(map(str, self.faults)))


@dataclass(frozen=True)
class Unknown:
    """A key nobody reads; ``nearest`` is the known one most like it, or empty. A warning, as in containerd."""

    path: Key
    nearest: str = ""

    def __str__(self) -> str:
        return f"{dotted(self.path)}: unknown key" + (f', did you mean "{self.nearest}"?' if self.nearest else "")


@dataclass(frozen=True)
class Decoded(Generic[C]):
    """``value`` is None exactly when there are faults."""

    value: C | None
    faults: tuple[Fault, ...] = ()
    unknown: tuple[Unknown, ...] = ()


def decode(cls: type[C], table: object, path: Key = ()) -> Decoded[C]:
    """Make a ``cls`` from a table as tomllib returns it. ``path`` is where the table stands, for messages."""
    decoder = _Decoder()
    value = decoder.dataclass(cls, table, path, _MISSING)
    if decoder.faults:
        return Decoded(None, tuple(decoder.faults), tuple(decoder.unknown))
    return Decoded(typing.cast(C, value), (), tuple(decoder.unknown))


def decode_entries(kind: type[C], table: object, path: Key = ()) -> Decoded[Mapping[str, C]]:
    """Make the entries of a table that are all of one field type, by name."""
    decoder = _Decoder()
    value = decoder.mapping(dict[str, kind], table, path, {})  # type: ignore[valid-type]  # a type at run time
    if decoder.faults:
        return Decoded(None, tuple(decoder.faults), tuple(decoder.unknown))
    return Decoded(typing.cast(Mapping[str, C], value), (), tuple(decoder.unknown))


def encode(value: object) -> Any:
    """The TOML form of a value of any field type; None, which TOML cannot say, is left out of tables."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        pairs = ((key_of(f), getattr(value, f.name)) for f in dataclasses.fields(value))
        return {key: encode(item) for key, item in pairs if item is not None}
    if isinstance(value, Duration | Path):
        return str(value)
    if isinstance(value, Mapping):
        return {key: encode(item) for key, item in value.items() if item is not None}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [encode(item) for item in value]
    return value


def defaults(cls: type[Any]) -> dict[str, Any]:
    """The TOML form of a class's defaults; fields without one are left out."""
    pairs = ((key_of(f), _default(f)) for f in dataclasses.fields(cls))
    return {key: encode(value) for key, value in pairs if value is not _MISSING and value is not None}


def dotted(path: Key) -> str:
    """A path as it is written in TOML: ``plugins."io.containerd.gc.v1.scheduler".pause_threshold``."""
    shown = ""
    for part in path:
        if isinstance(part, int):
            shown += f"[{part}]"
        else:
            shown += ("." if shown else "") + quoted(part)
    return shown


def quoted(key: str) -> str:
    """A key as TOML wants it: bare where that is allowed."""
    return key if _BARE.fullmatch(key) else json.dumps(key, ensure_ascii=False).replace("\x7f", "\\u007f")


def nearest(name: str, known: Iterable[str], alike: float = 0.6) -> str:
    """The name most like ``name``, or "" when none is at least ``alike`` (0 to 1, ``difflib``'s ratio)."""
    import difflib  # a millisecond that only a misspelt file pays

    return next(iter(difflib.get_close_matches(name, list(known), 1, alike)), "")


def key_of(field: dataclasses.Field[Any]) -> str:
    """The TOML key of a field."""
    return str(field.metadata.get("key", field.name))


def type_name(value: object) -> str:
    """What TOML calls the type of a value."""
    names = ((bool, "boolean"), (int, "integer"), (float, "float"), (str, "string"), (list, "array"), (dict, "table"))
    return next((name for kind, name in names if isinstance(value, kind)), "date or time")


def hints(cls: type[Any]) -> dict[str, Any]:
    """The resolved types of a class's fields."""
    return typing.get_type_hints(cls)


def element(kind: Any) -> Any:
    """The type of the elements of ``list[X]`` or ``tuple[X, ...]``. Raises TypeError for other tuples."""
    args = typing.get_args(kind) or (Any,)
    if typing.get_origin(kind) is tuple and (len(args) != 2 or args[1] is not Ellipsis):
        raise TypeError(f"{kind}: a tuple in a configuration class is tuple[X, ...]")
    return args[0]


def without_none(kind: Any) -> Any:
    """``X`` of ``X | None``; other types as they are. Raises TypeError for unions of two real types."""
    if typing.get_origin(kind) not in (Union, types.UnionType):
        return kind
    rest = [item for item in typing.get_args(kind) if item is not type(None)]
    if len(rest) != 1:
        raise TypeError(f"{kind}: the only union in a configuration class is X | None")
    return rest[0]


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not _MISSING:
        return typing.cast(Callable[[], Any], field.default_factory)()
    return field.default


class _Decoder:
    """Collects faults while it walks; a value beside a fault is of no meaning."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.unknown: list[Unknown] = []

    def fault(self, path: Key, message: str) -> Any:
        self.faults.append(Fault(path, message))
        return None

    def expect(self, kind: type[Any], name: str, value: object, path: Key) -> Any:
        if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
            return value
        return self.fault(path, f"expected {name}, got {type_name(value)}")

    def value(self, kind: Any, value: object, path: Key, default: Any) -> Any:
        kind = without_none(kind)
        origin = typing.get_origin(kind) or kind
        if kind is Any or kind is object:
            return value
        if dataclasses.is_dataclass(kind):
            return self.dataclass(typing.cast(type[Any], kind), value, path, default)
        if origin is Literal:
            return self.choice(typing.get_args(kind), value, path)
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return self.mapping(kind, value, path, default)
        if isinstance(origin, type) and issubclass(origin, Sequence) and origin is not str:
            return self.sequence(kind, value, path)
        return self.scalar(kind, value, path)

    def scalar(self, kind: Any, value: object, path: Key) -> Any:
        if kind is Duration:
            return self.duration(value, path)
        if kind is Path:
            text = self.expect(str, "string", value, path)
            return None if text is None else Path(text)
        if kind is float:
            return self.number(value, path)
        if kind is int:
            number = self.expect(int, "integer", value, path)
            if number is not None and not -_INT_LIMIT <= number < _INT_LIMIT:
                return self.fault(path, "integer does not fit in 64 bits")
            return number
        if kind in (bool, str):
            return self.expect(kind, type_name(kind()), value, path)
        raise TypeError(f"{dotted(path)}: {kind} is no type of a configuration class")

    def number(self, value: object, path: Key) -> Any:
        number = self.expect(int if isinstance(value, int) else float, "float", value, path)
        try:
            return None if number is None else float(number)
        except OverflowError:
            return self.fault(path, "number does not fit in 64 bits")

    def duration(self, value: object, path: Key) -> Any:
        text = self.expect(str, "duration (a string)", value, path)
        if text is None:
            return None
        try:
            return Duration.parse(text)
        except ValueError as error:
            return self.fault(path, str(error))

    def choice(self, choices: tuple[Any, ...], value: object, path: Key) -> Any:
        if any(value == choice and type(value) is type(choice) for choice in choices):
            return value
        wanted = ", ".join(json.dumps(choice) for choice in choices)
        shown = json.dumps(value) if isinstance(value, str | int) else type_name(value)
        return self.fault(path, f"expected one of {wanted}, got {shown}")

    def sequence(self, kind: Any, value: object, path: Key) -> Any:
        items = self.expect(list, "array", value, path)
        if items is None:
            return None
        inner = element(kind)
        decoded = [self.value(inner, item, (*path, index), _MISSING) for index, item in enumerate(items)]
        return decoded if typing.get_origin(kind) is list or kind is list else tuple(decoded)

    def mapping(self, kind: Any, value: object, path: Key, default: Any) -> Any:
        table = self.expect(dict, "table", value, path)
        if table is None:
            return None
        inner = (typing.get_args(kind) or (str, Any))[1]
        base = dict(default) if isinstance(default, Mapping) else {}
        return base | {
            key: self.value(inner, item, (*path, key), base.get(key, _MISSING)) for key, item in table.items()
        }

    def dataclass(self, cls: type[Any], value: object, path: Key, default: Any) -> Any:
        table = self.expect(dict, "table", value, path)
        if table is None:
            return None
        before = len(self.faults)
        arguments = self.arguments(cls, table, path, default)
        if len(self.faults) > before:
            return None
        try:
            return cls(**arguments)
        except (ValueError, errors.Error) as error:
            return self.fault(path, str(error))

    def arguments(self, cls: type[Any], table: Mapping[str, Any], path: Key, default: Any) -> dict[str, Any]:
        fields = {key_of(field): field for field in dataclasses.fields(cls) if field.init}
        given = self.named(fields, table, path)
        kinds = hints(cls)
        arguments: dict[str, Any] = {}
        for key, field in fields.items():
            inherited = getattr(default, field.name) if isinstance(default, cls) else _default(field)
            if key in given:
                spelled = given[key]
                arguments[field.name] = self.value(kinds[field.name], table[spelled], (*path, spelled), inherited)
            elif inherited is _MISSING:
                self.fault((*path, key), "required")
            else:
                arguments[field.name] = inherited
        return arguments

    def named(self, fields: Mapping[str, Any], table: Mapping[str, Any], path: Key) -> dict[str, str]:
        """Field key to the key in the table. containerd's reader ignores case, so another case is accepted, too."""
        lower = {key.lower(): key for key in fields}
        given = {key: key for key in table if key in fields}
        for key in table:
            if key in fields:
                continue
            known = lower.get(key.lower())
            if known and known not in given:
                given[known] = key
            else:
                self.unknown.append(Unknown((*path, key), nearest(key, fields)))
        return given
