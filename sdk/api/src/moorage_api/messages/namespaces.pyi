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

class Namespace(_Message):
    name: str
    @property
    def labels(self) -> _ScalarMap[str, str]: ...
    def __init__(
        self,
        *,
        name: str | None = ...,
        labels: _Mapping[str, str] | None = ...,
    ) -> None: ...

class GetNamespaceRequest(_Message):
    name: str
    def __init__(
        self,
        *,
        name: str | None = ...,
    ) -> None: ...

class GetNamespaceResponse(_Message):
    @property
    def namespace(self) -> Namespace: ...
    def __init__(
        self,
        *,
        namespace: Namespace | None = ...,
    ) -> None: ...

class ListNamespacesRequest(_Message):
    filter: str
    def __init__(
        self,
        *,
        filter: str | None = ...,
    ) -> None: ...

class ListNamespacesResponse(_Message):
    @property
    def namespaces(self) -> _RepeatedCompositeFieldContainer[Namespace]: ...
    def __init__(
        self,
        *,
        namespaces: _Iterable[Namespace] | None = ...,
    ) -> None: ...

class CreateNamespaceRequest(_Message):
    @property
    def namespace(self) -> Namespace: ...
    def __init__(
        self,
        *,
        namespace: Namespace | None = ...,
    ) -> None: ...

class CreateNamespaceResponse(_Message):
    @property
    def namespace(self) -> Namespace: ...
    def __init__(
        self,
        *,
        namespace: Namespace | None = ...,
    ) -> None: ...

class UpdateNamespaceRequest(_Message):
    @property
    def namespace(self) -> Namespace: ...
    @property
    def update_mask(self) -> _field_mask_pb2.FieldMask: ...
    def __init__(
        self,
        *,
        namespace: Namespace | None = ...,
        update_mask: _field_mask_pb2.FieldMask | None = ...,
    ) -> None: ...

class UpdateNamespaceResponse(_Message):
    @property
    def namespace(self) -> Namespace: ...
    def __init__(
        self,
        *,
        namespace: Namespace | None = ...,
    ) -> None: ...

class DeleteNamespaceRequest(_Message):
    name: str
    def __init__(
        self,
        *,
        name: str | None = ...,
    ) -> None: ...
