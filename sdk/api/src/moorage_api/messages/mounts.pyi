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
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from moorage_api.messages import types as _types

class ActivateRequest(_Message):
    name: str
    @property
    def mounts(self) -> _RepeatedCompositeFieldContainer[_types.Mount]: ...
    @property
    def labels(self) -> _ScalarMap[str, str]: ...
    temporary: bool
    def __init__(
        self,
        *,
        name: str | None = ...,
        mounts: _Iterable[_types.Mount] | None = ...,
        labels: _Mapping[str, str] | None = ...,
        temporary: bool | None = ...,
    ) -> None: ...

class ActivateResponse(_Message):
    @property
    def info(self) -> _types.ActivationInfo: ...
    def __init__(
        self,
        *,
        info: _types.ActivationInfo | None = ...,
    ) -> None: ...

class DeactivateRequest(_Message):
    name: str
    def __init__(
        self,
        *,
        name: str | None = ...,
    ) -> None: ...

class InfoRequest(_Message):
    name: str
    def __init__(
        self,
        *,
        name: str | None = ...,
    ) -> None: ...

class InfoResponse(_Message):
    @property
    def info(self) -> _types.ActivationInfo: ...
    def __init__(
        self,
        *,
        info: _types.ActivationInfo | None = ...,
    ) -> None: ...

class UpdateRequest(_Message):
    @property
    def info(self) -> _types.ActivationInfo: ...
    @property
    def update_mask(self) -> _field_mask_pb2.FieldMask: ...
    def __init__(
        self,
        *,
        info: _types.ActivationInfo | None = ...,
        update_mask: _field_mask_pb2.FieldMask | None = ...,
    ) -> None: ...

class UpdateResponse(_Message):
    @property
    def info(self) -> _types.ActivationInfo: ...
    def __init__(
        self,
        *,
        info: _types.ActivationInfo | None = ...,
    ) -> None: ...

class ListRequest(_Message):
    @property
    def filters(self) -> _RepeatedScalarFieldContainer[str]: ...
    def __init__(
        self,
        *,
        filters: _Iterable[str] | None = ...,
    ) -> None: ...

class ListMessage(_Message):
    @property
    def info(self) -> _types.ActivationInfo: ...
    def __init__(
        self,
        *,
        info: _types.ActivationInfo | None = ...,
    ) -> None: ...
