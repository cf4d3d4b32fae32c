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

class Descriptor(_Message):
    """Media type, digest, size in bytes and annotations of a blob."""
    media_type: str
    digest: str
    size: int
    @property
    def annotations(self) -> _ScalarMap[str, str]: ...
    def __init__(
        self,
        *,
        media_type: str | None = ...,
        digest: str | None = ...,
        size: int | None = ...,
        annotations: _Mapping[str, str] | None = ...,
    ) -> None: ...

class Envelope(_Message):
    """An event with its topic, its namespace and the time it happened."""
    @property
    def timestamp(self) -> _timestamp_pb2.Timestamp: ...
    namespace: str
    topic: str
    @property
    def event(self) -> _any_pb2.Any: ...
    def __init__(
        self,
        *,
        timestamp: _timestamp_pb2.Timestamp | None = ...,
        namespace: str | None = ...,
        topic: str | None = ...,
        event: _any_pb2.Any | None = ...,
    ) -> None: ...

fieldpath_all: _FieldDescriptor

fieldpath: _FieldDescriptor

class RuntimeRequest(_Message):
    runtime_path: str
    @property
    def options(self) -> _any_pb2.Any: ...
    def __init__(
        self,
        *,
        runtime_path: str | None = ...,
        options: _any_pb2.Any | None = ...,
    ) -> None: ...

class RuntimeVersion(_Message):
    version: str
    revision: str
    def __init__(
        self,
        *,
        version: str | None = ...,
        revision: str | None = ...,
    ) -> None: ...

class RuntimeInfo(_Message):
    name: str
    @property
    def version(self) -> RuntimeVersion: ...
    @property
    def options(self) -> _any_pb2.Any: ...
    @property
    def features(self) -> _any_pb2.Any: ...
    @property
    def annotations(self) -> _ScalarMap[str, str]: ...
    def __init__(
        self,
        *,
        name: str | None = ...,
        version: RuntimeVersion | None = ...,
        options: _any_pb2.Any | None = ...,
        features: _any_pb2.Any | None = ...,
        annotations: _Mapping[str, str] | None = ...,
    ) -> None: ...

class Metric(_Message):
    @property
    def timestamp(self) -> _timestamp_pb2.Timestamp: ...
    id: str
    @property
    def data(self) -> _any_pb2.Any: ...
    def __init__(
        self,
        *,
        timestamp: _timestamp_pb2.Timestamp | None = ...,
        id: str | None = ...,
        data: _any_pb2.Any | None = ...,
    ) -> None: ...

class Mount(_Message):
    """One mount: type, source, target below the root, and options in order."""
    type: str
    source: str
    target: str
    @property
    def options(self) -> _RepeatedScalarFieldContainer[str]: ...
    def __init__(
        self,
        *,
        type: str | None = ...,
        source: str | None = ...,
        target: str | None = ...,
        options: _Iterable[str] | None = ...,
    ) -> None: ...

class ActiveMount(_Message):
    """A mount the manager has done, and where."""
    @property
    def mount(self) -> Mount: ...
    @property
    def mounted_at(self) -> _timestamp_pb2.Timestamp: ...
    mount_point: str
    @property
    def data(self) -> _ScalarMap[str, str]: ...
    def __init__(
        self,
        *,
        mount: Mount | None = ...,
        mounted_at: _timestamp_pb2.Timestamp | None = ...,
        mount_point: str | None = ...,
        data: _Mapping[str, str] | None = ...,
    ) -> None: ...

class ActivationInfo(_Message):
    """Mounts done by the manager (active) and mounts left to the caller (system)."""
    name: str
    @property
    def active(self) -> _RepeatedCompositeFieldContainer[ActiveMount]: ...
    @property
    def system(self) -> _RepeatedCompositeFieldContainer[Mount]: ...
    @property
    def labels(self) -> _ScalarMap[str, str]: ...
    def __init__(
        self,
        *,
        name: str | None = ...,
        active: _Iterable[ActiveMount] | None = ...,
        system: _Iterable[Mount] | None = ...,
        labels: _Mapping[str, str] | None = ...,
    ) -> None: ...

class Platform(_Message):
    os: str
    architecture: str
    variant: str
    os_version: str
    @property
    def os_features(self) -> _RepeatedScalarFieldContainer[str]: ...
    def __init__(
        self,
        *,
        os: str | None = ...,
        architecture: str | None = ...,
        variant: str | None = ...,
        os_version: str | None = ...,
        os_features: _Iterable[str] | None = ...,
    ) -> None: ...

class Sandbox(_Message):
    """Configuration of a sandbox, without its run-time state."""
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
    sandbox_id: str
    @property
    def runtime(self) -> Sandbox.Runtime: ...
    @property
    def spec(self) -> _any_pb2.Any: ...
    @property
    def labels(self) -> _ScalarMap[str, str]: ...
    @property
    def created_at(self) -> _timestamp_pb2.Timestamp: ...
    @property
    def updated_at(self) -> _timestamp_pb2.Timestamp: ...
    @property
    def extensions(self) -> _MessageMap[str, _any_pb2.Any]: ...
    sandboxer: str
    def __init__(
        self,
        *,
        sandbox_id: str | None = ...,
        runtime: Sandbox.Runtime | None = ...,
        spec: _any_pb2.Any | None = ...,
        labels: _Mapping[str, str] | None = ...,
        created_at: _timestamp_pb2.Timestamp | None = ...,
        updated_at: _timestamp_pb2.Timestamp | None = ...,
        extensions: _Mapping[str, _any_pb2.Any] | None = ...,
        sandboxer: str | None = ...,
    ) -> None: ...
