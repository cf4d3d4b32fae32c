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

class TransferRequest(_Message):
    @property
    def source(self) -> _any_pb2.Any: ...
    @property
    def destination(self) -> _any_pb2.Any: ...
    @property
    def options(self) -> TransferOptions: ...
    def __init__(
        self,
        *,
        source: _any_pb2.Any | None = ...,
        destination: _any_pb2.Any | None = ...,
        options: TransferOptions | None = ...,
    ) -> None: ...

class TransferOptions(_Message):
    progress_stream: str
    def __init__(
        self,
        *,
        progress_stream: str | None = ...,
    ) -> None: ...
