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
from moorage_api.messages import types as _types

Kind: _EnumTypeWrapper
UNKNOWN: int
VIEW: int
ACTIVE: int
COMMITTED: int

class PrepareSnapshotRequest(_Message):
    snapshotter: str
    key: str
    parent: str
    @property
    def labels(self) -> _ScalarMap[str, str]: ...
    def __init__(
        self,
        *,
        snapshotter: str | None = ...,
        key: str | None = ...,
        parent: str | None = ...,
        labels: _Mapping[str, str] | None = ...,
    ) -> None: ...

class PrepareSnapshotResponse(_Message):
    @property
    def mounts(self) -> _RepeatedCompositeFieldContainer[_types.Mount]: ...
    def __init__(
        self,
        *,
        mounts: _Iterable[_types.Mount] | None = ...,
    ) -> None: ...

class ViewSnapshotRequest(_Message):
    snapshotter: str
    key: str
    parent: str
    @property
    def labels(self) -> _ScalarMap[str, str]: ...
    def __init__(
        self,
        *,
        snapshotter: str | None = ...,
        key: str | None = ...,
        parent: str | None = ...,
        labels: _Mapping[str, str] | None = ...,
    ) -> None: ...

class ViewSnapshotResponse(_Message):
    @property
    def mounts(self) -> _RepeatedCompositeFieldContainer[_types.Mount]: ...
    def __init__(
        self,
        *,
        mounts: _Iterable[_types.Mount] | None = ...,
    ) -> None: ...

class MountsRequest(_Message):
    snapshotter: str
    key: str
    def __init__(
        self,
        *,
        snapshotter: str | None = ...,
        key: str | None = ...,
    ) -> None: ...

class MountsResponse(_Message):
    @property
    def mounts(self) -> _RepeatedCompositeFieldContainer[_types.Mount]: ...
    def __init__(
        self,
        *,
        mounts: _Iterable[_types.Mount] | None = ...,
    ) -> None: ...

class RemoveSnapshotRequest(_Message):
    snapshotter: str
    key: str
    def __init__(
        self,
        *,
        snapshotter: str | None = ...,
        key: str | None = ...,
    ) -> None: ...

class CommitSnapshotRequest(_Message):
    """Turns the active snapshot key into the committed snapshot name."""
    snapshotter: str
    name: str
    key: str
    @property
    def labels(self) -> _ScalarMap[str, str]: ...
    parent: str
    def __init__(
        self,
        *,
        snapshotter: str | None = ...,
        name: str | None = ...,
        key: str | None = ...,
        labels: _Mapping[str, str] | None = ...,
        parent: str | None = ...,
    ) -> None: ...

class StatSnapshotRequest(_Message):
    snapshotter: str
    key: str
    def __init__(
        self,
        *,
        snapshotter: str | None = ...,
        key: str | None = ...,
    ) -> None: ...

class Info(_Message):
    """A snapshot; kind tells whether it can change."""
    name: str
    parent: str
    kind: int
    @property
    def created_at(self) -> _timestamp_pb2.Timestamp: ...
    @property
    def updated_at(self) -> _timestamp_pb2.Timestamp: ...
    @property
    def labels(self) -> _ScalarMap[str, str]: ...
    def __init__(
        self,
        *,
        name: str | None = ...,
        parent: str | None = ...,
        kind: int | None = ...,
        created_at: _timestamp_pb2.Timestamp | None = ...,
        updated_at: _timestamp_pb2.Timestamp | None = ...,
        labels: _Mapping[str, str] | None = ...,
    ) -> None: ...

class StatSnapshotResponse(_Message):
    @property
    def info(self) -> Info: ...
    def __init__(
        self,
        *,
        info: Info | None = ...,
    ) -> None: ...

class UpdateSnapshotRequest(_Message):
    snapshotter: str
    @property
    def info(self) -> Info: ...
    @property
    def update_mask(self) -> _field_mask_pb2.FieldMask: ...
    def __init__(
        self,
        *,
        snapshotter: str | None = ...,
        info: Info | None = ...,
        update_mask: _field_mask_pb2.FieldMask | None = ...,
    ) -> None: ...

class UpdateSnapshotResponse(_Message):
    @property
    def info(self) -> Info: ...
    def __init__(
        self,
        *,
        info: Info | None = ...,
    ) -> None: ...

class ListSnapshotsRequest(_Message):
    snapshotter: str
    @property
    def filters(self) -> _RepeatedScalarFieldContainer[str]: ...
    def __init__(
        self,
        *,
        snapshotter: str | None = ...,
        filters: _Iterable[str] | None = ...,
    ) -> None: ...

class ListSnapshotsResponse(_Message):
    @property
    def info(self) -> _RepeatedCompositeFieldContainer[Info]: ...
    def __init__(
        self,
        *,
        info: _Iterable[Info] | None = ...,
    ) -> None: ...

class UsageRequest(_Message):
    snapshotter: str
    key: str
    def __init__(
        self,
        *,
        snapshotter: str | None = ...,
        key: str | None = ...,
    ) -> None: ...

class UsageResponse(_Message):
    """Bytes and inodes of the snapshot alone, without its parents."""
    size: int
    inodes: int
    def __init__(
        self,
        *,
        size: int | None = ...,
        inodes: int | None = ...,
    ) -> None: ...

class CleanupRequest(_Message):
    snapshotter: str
    def __init__(
        self,
        *,
        snapshotter: str | None = ...,
    ) -> None: ...
