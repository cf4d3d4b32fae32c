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

class StoreCreateRequest(_Message):
    @property
    def sandbox(self) -> _types.Sandbox: ...
    def __init__(
        self,
        *,
        sandbox: _types.Sandbox | None = ...,
    ) -> None: ...

class StoreCreateResponse(_Message):
    @property
    def sandbox(self) -> _types.Sandbox: ...
    def __init__(
        self,
        *,
        sandbox: _types.Sandbox | None = ...,
    ) -> None: ...

class StoreUpdateRequest(_Message):
    @property
    def sandbox(self) -> _types.Sandbox: ...
    @property
    def fields(self) -> _RepeatedScalarFieldContainer[str]: ...
    def __init__(
        self,
        *,
        sandbox: _types.Sandbox | None = ...,
        fields: _Iterable[str] | None = ...,
    ) -> None: ...

class StoreUpdateResponse(_Message):
    @property
    def sandbox(self) -> _types.Sandbox: ...
    def __init__(
        self,
        *,
        sandbox: _types.Sandbox | None = ...,
    ) -> None: ...

class StoreDeleteRequest(_Message):
    sandbox_id: str
    def __init__(
        self,
        *,
        sandbox_id: str | None = ...,
    ) -> None: ...

class StoreDeleteResponse(_Message):
    def __init__(self) -> None: ...

class StoreListRequest(_Message):
    @property
    def filters(self) -> _RepeatedScalarFieldContainer[str]: ...
    def __init__(
        self,
        *,
        filters: _Iterable[str] | None = ...,
    ) -> None: ...

class StoreListResponse(_Message):
    @property
    def list(self) -> _RepeatedCompositeFieldContainer[_types.Sandbox]: ...
    def __init__(
        self,
        *,
        list: _Iterable[_types.Sandbox] | None = ...,
    ) -> None: ...

class StoreGetRequest(_Message):
    sandbox_id: str
    def __init__(
        self,
        *,
        sandbox_id: str | None = ...,
    ) -> None: ...

class StoreGetResponse(_Message):
    @property
    def sandbox(self) -> _types.Sandbox: ...
    def __init__(
        self,
        *,
        sandbox: _types.Sandbox | None = ...,
    ) -> None: ...

class ControllerCreateRequest(_Message):
    sandbox_id: str
    @property
    def rootfs(self) -> _RepeatedCompositeFieldContainer[_types.Mount]: ...
    @property
    def options(self) -> _any_pb2.Any: ...
    netns_path: str
    @property
    def annotations(self) -> _ScalarMap[str, str]: ...
    @property
    def sandbox(self) -> _types.Sandbox: ...
    sandboxer: str
    def __init__(
        self,
        *,
        sandbox_id: str | None = ...,
        rootfs: _Iterable[_types.Mount] | None = ...,
        options: _any_pb2.Any | None = ...,
        netns_path: str | None = ...,
        annotations: _Mapping[str, str] | None = ...,
        sandbox: _types.Sandbox | None = ...,
        sandboxer: str | None = ...,
    ) -> None: ...

class ControllerCreateResponse(_Message):
    sandbox_id: str
    def __init__(
        self,
        *,
        sandbox_id: str | None = ...,
    ) -> None: ...

class ControllerStartRequest(_Message):
    sandbox_id: str
    sandboxer: str
    def __init__(
        self,
        *,
        sandbox_id: str | None = ...,
        sandboxer: str | None = ...,
    ) -> None: ...

class ControllerStartResponse(_Message):
    sandbox_id: str
    pid: int
    @property
    def created_at(self) -> _timestamp_pb2.Timestamp: ...
    @property
    def labels(self) -> _ScalarMap[str, str]: ...
    address: str
    version: int
    @property
    def spec(self) -> _any_pb2.Any: ...
    def __init__(
        self,
        *,
        sandbox_id: str | None = ...,
        pid: int | None = ...,
        created_at: _timestamp_pb2.Timestamp | None = ...,
        labels: _Mapping[str, str] | None = ...,
        address: str | None = ...,
        version: int | None = ...,
        spec: _any_pb2.Any | None = ...,
    ) -> None: ...

class ControllerPlatformRequest(_Message):
    sandbox_id: str
    sandboxer: str
    def __init__(
        self,
        *,
        sandbox_id: str | None = ...,
        sandboxer: str | None = ...,
    ) -> None: ...

class ControllerPlatformResponse(_Message):
    @property
    def platform(self) -> _types.Platform: ...
    def __init__(
        self,
        *,
        platform: _types.Platform | None = ...,
    ) -> None: ...

class ControllerStopRequest(_Message):
    sandbox_id: str
    timeout_secs: int
    sandboxer: str
    def __init__(
        self,
        *,
        sandbox_id: str | None = ...,
        timeout_secs: int | None = ...,
        sandboxer: str | None = ...,
    ) -> None: ...

class ControllerStopResponse(_Message):
    def __init__(self) -> None: ...

class ControllerWaitRequest(_Message):
    sandbox_id: str
    sandboxer: str
    def __init__(
        self,
        *,
        sandbox_id: str | None = ...,
        sandboxer: str | None = ...,
    ) -> None: ...

class ControllerWaitResponse(_Message):
    exit_status: int
    @property
    def exited_at(self) -> _timestamp_pb2.Timestamp: ...
    def __init__(
        self,
        *,
        exit_status: int | None = ...,
        exited_at: _timestamp_pb2.Timestamp | None = ...,
    ) -> None: ...

class ControllerStatusRequest(_Message):
    sandbox_id: str
    verbose: bool
    sandboxer: str
    def __init__(
        self,
        *,
        sandbox_id: str | None = ...,
        verbose: bool | None = ...,
        sandboxer: str | None = ...,
    ) -> None: ...

class ControllerStatusResponse(_Message):
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
    address: str
    version: int
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
        address: str | None = ...,
        version: int | None = ...,
    ) -> None: ...

class ControllerShutdownRequest(_Message):
    sandbox_id: str
    sandboxer: str
    def __init__(
        self,
        *,
        sandbox_id: str | None = ...,
        sandboxer: str | None = ...,
    ) -> None: ...

class ControllerShutdownResponse(_Message):
    def __init__(self) -> None: ...

class ControllerMetricsRequest(_Message):
    sandbox_id: str
    sandboxer: str
    def __init__(
        self,
        *,
        sandbox_id: str | None = ...,
        sandboxer: str | None = ...,
    ) -> None: ...

class ControllerMetricsResponse(_Message):
    @property
    def metrics(self) -> _types.Metric: ...
    def __init__(
        self,
        *,
        metrics: _types.Metric | None = ...,
    ) -> None: ...

class ControllerUpdateRequest(_Message):
    sandbox_id: str
    sandboxer: str
    @property
    def sandbox(self) -> _types.Sandbox: ...
    @property
    def fields(self) -> _RepeatedScalarFieldContainer[str]: ...
    def __init__(
        self,
        *,
        sandbox_id: str | None = ...,
        sandboxer: str | None = ...,
        sandbox: _types.Sandbox | None = ...,
        fields: _Iterable[str] | None = ...,
    ) -> None: ...

class ControllerUpdateResponse(_Message):
    def __init__(self) -> None: ...
