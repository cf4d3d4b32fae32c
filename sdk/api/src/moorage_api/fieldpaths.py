"""Field paths into events, for the filters of ``Events.Subscribe``: ``topic``, ``namespace``, ``event.<field>``.

containerd generates the lookups (api/events/*_fieldpath.pb.go) for files that carry the option
``containerd.types.fieldpath_all``; here they follow from the descriptors by the same rules. Strings and booleans can be
looked up, messages are entered when their own file carries the option, ``labels`` is a map with joined keys; numbers,
times, lists and bytes cannot. An absent string is an empty one; a boolean is always present.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from google.protobuf import any_pb2
from google.protobuf.descriptor import FieldDescriptor, FileDescriptor
from google.protobuf.message import Message

from moorage_api import definitions, filters
from moorage_api.convert import typeurls
from moorage_api.messages import types
from moorage_sdk import errors
from moorage_sdk.events import Envelope

Found = tuple[str, bool]
"""Value and whether it is present."""

ABSENT: Found = ("", False)


def envelope(message: Envelope | types.Envelope) -> filters.Lookup:
    """A lookup for ``filters.Filter.match`` that decodes the payload at most once, and only when a filter asks."""
    decoded: list[Message | None] = []

    def lookup(path: Sequence[str]) -> Found:
        match list(path):
            case ["event", *rest]:
                if not decoded:
                    decoded.append(_decoded(message.event))
                return field(decoded[0], rest) if decoded[0] is not None else ABSENT
            case ["topic", *_]:
                return message.topic, bool(message.topic)
            case ["namespace", *_]:
                return message.namespace, bool(message.namespace)
        return ABSENT

    return lookup


def field(message: Message, path: Sequence[str]) -> Found:
    """The field of an event's payload as a string, and whether it is present."""
    known = message.DESCRIPTOR.fields_by_name.get(path[0]) if path else None
    if known is None or not _marked(message.DESCRIPTOR.file):
        return ABSENT
    return _value(message, known, path[1:])


def _value(message: Message, known: Any, rest: Sequence[str]) -> Found:
    value = getattr(message, known.name)
    if known.name == "labels":
        return filters.in_map(value, rest)
    if _repeated(known):
        return ABSENT
    if known.type == FieldDescriptor.TYPE_STRING:
        return value, bool(value)
    if known.type == FieldDescriptor.TYPE_BOOL:
        return ("true" if value else "false"), True
    if known.type == FieldDescriptor.TYPE_MESSAGE and message.HasField(known.name):
        inner = _decoded(value) if isinstance(value, any_pb2.Any) else value
        return field(inner, rest) if inner is not None else ABSENT
    return ABSENT


def _decoded(packed: typeurls.Typed) -> Message | None:
    try:
        return typeurls.unpack(packed)
    except errors.Error:
        return None  # The payload belongs to whoever published it; a filter simply finds nothing in it.


def _repeated(known: Any) -> bool:
    # ``label`` is deprecated in protobuf 6 and warns; ``is_repeated`` does not exist before it.
    repeated: bool | None = getattr(known, "is_repeated", None)
    return known.label == FieldDescriptor.LABEL_REPEATED if repeated is None else repeated


@cache
def _marked(file: FileDescriptor) -> bool:
    # Reading the option would need its extension registered, which every implementation of protobuf does in another
    # way. A file of events imports fieldpath.proto for nothing else.
    described = definitions.files().get(file.name)
    return described is not None and file.name.startswith("events/") and "types/fieldpath.proto" in described.dependency
