"""``Any`` as containerd fills it: the bare full name as type URL, JSON for the types of the OCI runtime specification.

``Any.Pack`` of protobuf would prefix ``type.googleapis.com/``, which containerd's own comparisons do not expect. When
reading, all up to the last slash is ignored, as Go's registry does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any as Json
from typing import Protocol

from google.protobuf.any_pb2 import Any
from google.protobuf.message import DecodeError, Message

from moorage_api import definitions
from moorage_sdk import errors

_OCI = "types.containerd.io/opencontainers/runtime-spec/1/"
SPEC = _OCI + "Spec"
PROCESS = _OCI + "Process"
LINUX_RESOURCES = _OCI + "LinuxResources"
WINDOWS_RESOURCES = _OCI + "WindowsResources"
FEATURES = _OCI + "features/Features"
JSON_TYPES = frozenset({SPEC, PROCESS, LINUX_RESOURCES, WINDOWS_RESOURCES, FEATURES})
"""Registered in core/runtime/typeurl.go; their value is JSON, not protobuf."""


class Typed(Protocol):
    """A type URL and bytes: ``google.protobuf.Any`` as well as ``moorage_sdk.events.Payload``."""

    @property
    def type_url(self) -> str: ...
    @property
    def value(self) -> bytes: ...


def pack(message: Message) -> Any:
    """A message in an Any. An Any comes back as it is, as typeurl.MarshalAny does."""
    if isinstance(message, Any):
        return message
    return Any(type_url=message.DESCRIPTOR.full_name, value=message.SerializeToString())


def unpack(packed: Typed) -> Message:
    """The message in an Any or a payload, with or without a prefix before its name.

    Raises errors.NotFound for a type of no API (the JSON types among them) and errors.InvalidArgument for bytes that
    are not a message of that type.
    """
    try:
        kind = definitions.message(full_name(packed))
    except KeyError:
        raise errors.NotFound(f'type with url "{packed.type_url}": not found') from None
    try:
        return kind.FromString(packed.value)
    except DecodeError as error:
        raise errors.InvalidArgument(f'value of type "{packed.type_url}": {error}: invalid argument') from None


def holds(packed: Typed, kind: type[Message]) -> bool:
    """Whether the Any says that it is of this type."""
    return full_name(packed) == kind.DESCRIPTOR.full_name


def full_name(packed: Typed) -> str:
    """The type's name without the prefix."""
    return packed.type_url.rpartition("/")[2]


def pack_json(type_url: str, value: Mapping[str, Json]) -> Any:
    """A JSON object in an Any under one of ``JSON_TYPES`` or a type of a client's own (CRI's ``.../Metadata``)."""
    return Any(type_url=type_url, value=json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def unpack_json(packed: Typed) -> dict[str, Json]:
    """The JSON object in an Any. Raises errors.InvalidArgument for anything else, NaN and Infinity included."""
    try:
        value = json.loads(packed.value, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise errors.InvalidArgument(f'value of type "{packed.type_url}": {error}: invalid argument') from None
    if not isinstance(value, dict):
        raise errors.InvalidArgument(f'value of type "{packed.type_url}": not a JSON object: invalid argument')
    return value


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
