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
from google.protobuf import any_pb2 as _any_pb2
from moorage_api.messages import types as _types

class PublishRequest(_Message):
    topic: str
    @property
    def event(self) -> _any_pb2.Any: ...
    def __init__(
        self,
        *,
        topic: str | None = ...,
        event: _any_pb2.Any | None = ...,
    ) -> None: ...

class ForwardRequest(_Message):
    @property
    def envelope(self) -> _types.Envelope: ...
    def __init__(
        self,
        *,
        envelope: _types.Envelope | None = ...,
    ) -> None: ...

class SubscribeRequest(_Message):
    """Filters look at topic, namespace and event.<field>; none means everything."""
    @property
    def filters(self) -> _RepeatedScalarFieldContainer[str]: ...
    def __init__(
        self,
        *,
        filters: _Iterable[str] | None = ...,
    ) -> None: ...
