# Written by generate.py from protos/; do not edit.

from collections.abc import Iterable as _Iterable, Mapping as _Mapping

from google.protobuf.descriptor import FieldDescriptor as _FieldDescriptor
from google.protobuf.internal.containers import (
    MessageMap as _MessageMap,
    RepeatedCompositeFieldContainer as _RepeatedCompositeFieldContainer,
    RepeatedScalarFieldContainer as _RepeatedScalarFieldContainer,
    ScalarMap as _ScalarMap,
)
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper as _EnumTypeWrapper
from google.protobuf.message import Message as _Message

class Options(_Message):
    """A configuration file or its body, and the type that says how to read it."""
    type_url: str
    config_path: str
    config_body: bytes
    def __init__(
        self,
        *,
        type_url: str | None = ...,
        config_path: str | None = ...,
        config_body: bytes | None = ...,
    ) -> None: ...
