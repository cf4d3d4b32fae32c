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
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from moorage_api.messages import types as _types

class ApplyRequest(_Message):
    @property
    def diff(self) -> _types.Descriptor: ...
    @property
    def mounts(self) -> _RepeatedCompositeFieldContainer[_types.Mount]: ...
    @property
    def payloads(self) -> _MessageMap[str, _any_pb2.Any]: ...
    sync_fs: bool
    def __init__(
        self,
        *,
        diff: _types.Descriptor | None = ...,
        mounts: _Iterable[_types.Mount] | None = ...,
        payloads: _Mapping[str, _any_pb2.Any] | None = ...,
        sync_fs: bool | None = ...,
    ) -> None: ...

class ApplyResponse(_Message):
    """Describes the uncompressed layer."""
    @property
    def applied(self) -> _types.Descriptor: ...
    def __init__(
        self,
        *,
        applied: _types.Descriptor | None = ...,
    ) -> None: ...

class DiffRequest(_Message):
    @property
    def left(self) -> _RepeatedCompositeFieldContainer[_types.Mount]: ...
    @property
    def right(self) -> _RepeatedCompositeFieldContainer[_types.Mount]: ...
    media_type: str
    ref: str
    @property
    def labels(self) -> _ScalarMap[str, str]: ...
    @property
    def source_date_epoch(self) -> _timestamp_pb2.Timestamp: ...
    def __init__(
        self,
        *,
        left: _Iterable[_types.Mount] | None = ...,
        right: _Iterable[_types.Mount] | None = ...,
        media_type: str | None = ...,
        ref: str | None = ...,
        labels: _Mapping[str, str] | None = ...,
        source_date_epoch: _timestamp_pb2.Timestamp | None = ...,
    ) -> None: ...

class DiffResponse(_Message):
    @property
    def diff(self) -> _types.Descriptor: ...
    def __init__(
        self,
        *,
        diff: _types.Descriptor | None = ...,
    ) -> None: ...
