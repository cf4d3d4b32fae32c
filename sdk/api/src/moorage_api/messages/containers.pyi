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
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2

class Container(_Message):
    """A container record."""
    class Runtime(_Message):
        name: str
        @property
        def options(self) -> _any_pb2.Any: ...
        def __init__(
            self,
            *,
            name: str | None = ...,
            options: _any_pb2.Any | None = ...,
        ) -> None: ...
    id: str
    @property
    def labels(self) -> _ScalarMap[str, str]: ...
    image: str
    @property
    def runtime(self) -> Container.Runtime: ...
    @property
    def spec(self) -> _any_pb2.Any: ...
    snapshotter: str
    snapshot_key: str
    @property
    def created_at(self) -> _timestamp_pb2.Timestamp: ...
    @property
    def updated_at(self) -> _timestamp_pb2.Timestamp: ...
    @property
    def extensions(self) -> _MessageMap[str, _any_pb2.Any]: ...
    sandbox: str
    def __init__(
        self,
        *,
        id: str | None = ...,
        labels: _Mapping[str, str] | None = ...,
        image: str | None = ...,
        runtime: Container.Runtime | None = ...,
        spec: _any_pb2.Any | None = ...,
        snapshotter: str | None = ...,
        snapshot_key: str | None = ...,
        created_at: _timestamp_pb2.Timestamp | None = ...,
        updated_at: _timestamp_pb2.Timestamp | None = ...,
        extensions: _Mapping[str, _any_pb2.Any] | None = ...,
        sandbox: str | None = ...,
    ) -> None: ...

class GetContainerRequest(_Message):
    id: str
    def __init__(
        self,
        *,
        id: str | None = ...,
    ) -> None: ...

class GetContainerResponse(_Message):
    @property
    def container(self) -> Container: ...
    def __init__(
        self,
        *,
        container: Container | None = ...,
    ) -> None: ...

class ListContainersRequest(_Message):
    @property
    def filters(self) -> _RepeatedScalarFieldContainer[str]: ...
    def __init__(
        self,
        *,
        filters: _Iterable[str] | None = ...,
    ) -> None: ...

class ListContainersResponse(_Message):
    @property
    def containers(self) -> _RepeatedCompositeFieldContainer[Container]: ...
    def __init__(
        self,
        *,
        containers: _Iterable[Container] | None = ...,
    ) -> None: ...

class CreateContainerRequest(_Message):
    @property
    def container(self) -> Container: ...
    def __init__(
        self,
        *,
        container: Container | None = ...,
    ) -> None: ...

class CreateContainerResponse(_Message):
    @property
    def container(self) -> Container: ...
    def __init__(
        self,
        *,
        container: Container | None = ...,
    ) -> None: ...

class UpdateContainerRequest(_Message):
    @property
    def container(self) -> Container: ...
    @property
    def update_mask(self) -> _field_mask_pb2.FieldMask: ...
    def __init__(
        self,
        *,
        container: Container | None = ...,
        update_mask: _field_mask_pb2.FieldMask | None = ...,
    ) -> None: ...

class UpdateContainerResponse(_Message):
    @property
    def container(self) -> Container: ...
    def __init__(
        self,
        *,
        container: Container | None = ...,
    ) -> None: ...

class DeleteContainerRequest(_Message):
    id: str
    def __init__(
        self,
        *,
        id: str | None = ...,
    ) -> None: ...

class ListContainerMessage(_Message):
    """One container of a streamed list."""
    @property
    def container(self) -> Container: ...
    def __init__(
        self,
        *,
        container: Container | None = ...,
    ) -> None: ...
