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

class CreateSandboxRequest(_Message):
    sandbox_id: str
    bundle_path: str
    @property
    def rootfs(self) -> _RepeatedCompositeFieldContainer[_types.Mount]: ...
    @property
    def options(self) -> _any_pb2.Any: ...
    netns_path: str
    @property
    def annotations(self) -> _ScalarMap[str, str]: ...
    def __init__(
        self,
        *,
        sandbox_id: str | None = ...,
        bundle_path: str | None = ...,
        rootfs: _Iterable[_types.Mount] | None = ...,
        options: _any_pb2.Any | None = ...,
        netns_path: str | None = ...,
        annotations: _Mapping[str, str] | None = ...,
    ) -> None: ...

class CreateSandboxResponse(_Message):
    def __init__(self) -> None: ...

class StartSandboxRequest(_Message):
    sandbox_id: str
    def __init__(
        self,
        *,
        sandbox_id: str | None = ...,
    ) -> None: ...

class StartSandboxResponse(_Message):
    pid: int
    @property
    def created_at(self) -> _timestamp_pb2.Timestamp: ...
    @property
    def spec(self) -> _any_pb2.Any: ...
    def __init__(
        self,
        *,
        pid: int | None = ...,
        created_at: _timestamp_pb2.Timestamp | None = ...,
        spec: _any_pb2.Any | None = ...,
    ) -> None: ...

class PlatformRequest(_Message):
    sandbox_id: str
    def __init__(
        self,
        *,
        sandbox_id: str | None = ...,
    ) -> None: ...

class PlatformResponse(_Message):
    @property
    def platform(self) -> _types.Platform: ...
    def __init__(
        self,
        *,
        platform: _types.Platform | None = ...,
    ) -> None: ...

class StopSandboxRequest(_Message):
    sandbox_id: str
    timeout_secs: int
    def __init__(
        self,
        *,
        sandbox_id: str | None = ...,
        timeout_secs: int | None = ...,
    ) -> None: ...

class StopSandboxResponse(_Message):
    def __init__(self) -> None: ...

class UpdateSandboxRequest(_Message):
    sandbox_id: str
    @property
    def resources(self) -> _any_pb2.Any: ...
    @property
    def annotations(self) -> _ScalarMap[str, str]: ...
    def __init__(
        self,
        *,
        sandbox_id: str | None = ...,
        resources: _any_pb2.Any | None = ...,
        annotations: _Mapping[str, str] | None = ...,
    ) -> None: ...

class WaitSandboxRequest(_Message):
    sandbox_id: str
    def __init__(
        self,
        *,
        sandbox_id: str | None = ...,
    ) -> None: ...

class WaitSandboxResponse(_Message):
    exit_status: int
    @property
    def exited_at(self) -> _timestamp_pb2.Timestamp: ...
    def __init__(
        self,
        *,
        exit_status: int | None = ...,
        exited_at: _timestamp_pb2.Timestamp | None = ...,
    ) -> None: ...

class UpdateSandboxResponse(_Message):
    def __init__(self) -> None: ...

class SandboxStatusRequest(_Message):
    sandbox_id: str
    verbose: bool
    def __init__(
        self,
        *,
        sandbox_id: str | None = ...,
        verbose: bool | None = ...,
    ) -> None: ...

class SandboxStatusResponse(_Message):
    sandbox_id: str
    pid: int
    state: str
    @property
    def info(self) -> _ScalarMap[str, str]: ...
    @property
    def created_at(self) -> _timestamp_pb2.Timestamp: ...
    @property
    def exited_at(self) -> _timestamp_pb2.Timestamp: ...
    @property
    def extra(self) -> _any_pb2.Any: ...
    def __init__(
        self,
        *,
        sandbox_id: str | None = ...,
        pid: int | None = ...,
        state: str | None = ...,
        info: _Mapping[str, str] | None = ...,
        created_at: _timestamp_pb2.Timestamp | None = ...,
        exited_at: _timestamp_pb2.Timestamp | None = ...,
        extra: _any_pb2.Any | None = ...,
    ) -> None: ...

class PingRequest(_Message):
    sandbox_id: str
    def __init__(
        self,
        *,
        sandbox_id: str | None = ...,
    ) -> None: ...

class PingResponse(_Message):
    def __init__(self) -> None: ...

class ShutdownSandboxRequest(_Message):
    sandbox_id: str
    def __init__(
        self,
        *,
        sandbox_id: str | None = ...,
    ) -> None: ...

class ShutdownSandboxResponse(_Message):
    def __init__(self) -> None: ...

class SandboxMetricsRequest(_Message):
    sandbox_id: str
    def __init__(
        self,
        *,
        sandbox_id: str | None = ...,
    ) -> None: ...

class SandboxMetricsResponse(_Message):
    @property
    def metrics(self) -> _types.Metric: ...
    def __init__(
        self,
        *,
        metrics: _types.Metric | None = ...,
    ) -> None: ...
