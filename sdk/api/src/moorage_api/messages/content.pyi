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
from google.protobuf import timestamp_pb2 as _timestamp_pb2

WriteAction: _EnumTypeWrapper
STAT: int
WRITE: int
COMMIT: int

class Info(_Message):
    """A blob in the store."""
    digest: str
    size: int
    @property
    def created_at(self) -> _timestamp_pb2.Timestamp: ...
    @property
    def updated_at(self) -> _timestamp_pb2.Timestamp: ...
    @property
    def labels(self) -> _ScalarMap[str, str]: ...
    def __init__(
        self,
        *,
        digest: str | None = ...,
        size: int | None = ...,
        created_at: _timestamp_pb2.Timestamp | None = ...,
        updated_at: _timestamp_pb2.Timestamp | None = ...,
        labels: _Mapping[str, str] | None = ...,
    ) -> None: ...

class InfoRequest(_Message):
    digest: str
    def __init__(
        self,
        *,
        digest: str | None = ...,
    ) -> None: ...

class InfoResponse(_Message):
    @property
    def info(self) -> Info: ...
    def __init__(
        self,
        *,
        info: Info | None = ...,
    ) -> None: ...

class UpdateRequest(_Message):
    @property
    def info(self) -> Info: ...
    @property
    def update_mask(self) -> _field_mask_pb2.FieldMask: ...
    def __init__(
        self,
        *,
        info: Info | None = ...,
        update_mask: _field_mask_pb2.FieldMask | None = ...,
    ) -> None: ...

class UpdateResponse(_Message):
    @property
    def info(self) -> Info: ...
    def __init__(
        self,
        *,
        info: Info | None = ...,
    ) -> None: ...

class ListContentRequest(_Message):
    @property
    def filters(self) -> _RepeatedScalarFieldContainer[str]: ...
    def __init__(
        self,
        *,
        filters: _Iterable[str] | None = ...,
    ) -> None: ...

class ListContentResponse(_Message):
    @property
    def info(self) -> _RepeatedCompositeFieldContainer[Info]: ...
    def __init__(
        self,
        *,
        info: _Iterable[Info] | None = ...,
    ) -> None: ...

class DeleteContentRequest(_Message):
    digest: str
    def __init__(
        self,
        *,
        digest: str | None = ...,
    ) -> None: ...

class ReadContentRequest(_Message):
    digest: str
    offset: int
    size: int
    def __init__(
        self,
        *,
        digest: str | None = ...,
        offset: int | None = ...,
        size: int | None = ...,
    ) -> None: ...

class ReadContentResponse(_Message):
    """The offset counts from the offset that was asked for."""
    offset: int
    data: bytes
    def __init__(
        self,
        *,
        offset: int | None = ...,
        data: bytes | None = ...,
    ) -> None: ...

class Status(_Message):
    """An ingestion under way."""
    @property
    def started_at(self) -> _timestamp_pb2.Timestamp: ...
    @property
    def updated_at(self) -> _timestamp_pb2.Timestamp: ...
    ref: str
    offset: int
    total: int
    expected: str
    def __init__(
        self,
        *,
        started_at: _timestamp_pb2.Timestamp | None = ...,
        updated_at: _timestamp_pb2.Timestamp | None = ...,
        ref: str | None = ...,
        offset: int | None = ...,
        total: int | None = ...,
        expected: str | None = ...,
    ) -> None: ...

class StatusRequest(_Message):
    ref: str
    def __init__(
        self,
        *,
        ref: str | None = ...,
    ) -> None: ...

class StatusResponse(_Message):
    @property
    def status(self) -> Status: ...
    def __init__(
        self,
        *,
        status: Status | None = ...,
    ) -> None: ...

class ListStatusesRequest(_Message):
    @property
    def filters(self) -> _RepeatedScalarFieldContainer[str]: ...
    def __init__(
        self,
        *,
        filters: _Iterable[str] | None = ...,
    ) -> None: ...

class ListStatusesResponse(_Message):
    @property
    def statuses(self) -> _RepeatedCompositeFieldContainer[Status]: ...
    def __init__(
        self,
        *,
        statuses: _Iterable[Status] | None = ...,
    ) -> None: ...

class WriteContentRequest(_Message):
    """The first message names ref; offset 0 after data truncates."""
    action: int
    ref: str
    total: int
    expected: str
    offset: int
    data: bytes
    @property
    def labels(self) -> _ScalarMap[str, str]: ...
    def __init__(
        self,
        *,
        action: int | None = ...,
        ref: str | None = ...,
        total: int | None = ...,
        expected: str | None = ...,
        offset: int | None = ...,
        data: bytes | None = ...,
        labels: _Mapping[str, str] | None = ...,
    ) -> None: ...

class WriteContentResponse(_Message):
    action: int
    @property
    def started_at(self) -> _timestamp_pb2.Timestamp: ...
    @property
    def updated_at(self) -> _timestamp_pb2.Timestamp: ...
    offset: int
    total: int
    digest: str
    def __init__(
        self,
        *,
        action: int | None = ...,
        started_at: _timestamp_pb2.Timestamp | None = ...,
        updated_at: _timestamp_pb2.Timestamp | None = ...,
        offset: int | None = ...,
        total: int | None = ...,
        digest: str | None = ...,
    ) -> None: ...

class AbortRequest(_Message):
    ref: str
    def __init__(
        self,
        *,
        ref: str | None = ...,
    ) -> None: ...
