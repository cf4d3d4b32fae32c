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
from google.protobuf import timestamp_pb2 as _timestamp_pb2

class Lease(_Message):
    id: str
    @property
    def created_at(self) -> _timestamp_pb2.Timestamp: ...
    @property
    def labels(self) -> _ScalarMap[str, str]: ...
    def __init__(
        self,
        *,
        id: str | None = ...,
        created_at: _timestamp_pb2.Timestamp | None = ...,
        labels: _Mapping[str, str] | None = ...,
    ) -> None: ...

class CreateRequest(_Message):
    id: str
    @property
    def labels(self) -> _ScalarMap[str, str]: ...
    def __init__(
        self,
        *,
        id: str | None = ...,
        labels: _Mapping[str, str] | None = ...,
    ) -> None: ...

class CreateResponse(_Message):
    @property
    def lease(self) -> Lease: ...
    def __init__(
        self,
        *,
        lease: Lease | None = ...,
    ) -> None: ...

class DeleteRequest(_Message):
    id: str
    sync: bool
    def __init__(
        self,
        *,
        id: str | None = ...,
        sync: bool | None = ...,
    ) -> None: ...

class ListRequest(_Message):
    @property
    def filters(self) -> _RepeatedScalarFieldContainer[str]: ...
    def __init__(
        self,
        *,
        filters: _Iterable[str] | None = ...,
    ) -> None: ...

class ListResponse(_Message):
    @property
    def leases(self) -> _RepeatedCompositeFieldContainer[Lease]: ...
    def __init__(
        self,
        *,
        leases: _Iterable[Lease] | None = ...,
    ) -> None: ...

class Resource(_Message):
    """Type is content, ingests, images or snapshots/<snapshotter>."""
    id: str
    type: str
    def __init__(
        self,
        *,
        id: str | None = ...,
        type: str | None = ...,
    ) -> None: ...

class AddResourceRequest(_Message):
    id: str
    @property
    def resource(self) -> Resource: ...
    def __init__(
        self,
        *,
        id: str | None = ...,
        resource: Resource | None = ...,
    ) -> None: ...

class DeleteResourceRequest(_Message):
    id: str
    @property
    def resource(self) -> Resource: ...
    def __init__(
        self,
        *,
        id: str | None = ...,
        resource: Resource | None = ...,
    ) -> None: ...

class ListResourcesRequest(_Message):
    id: str
    def __init__(
        self,
        *,
        id: str | None = ...,
    ) -> None: ...

class ListResourcesResponse(_Message):
    @property
    def resources(self) -> _RepeatedCompositeFieldContainer[Resource]: ...
    def __init__(
        self,
        *,
        resources: _Iterable[Resource] | None = ...,
    ) -> None: ...
