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
from moorage_api.messages import task_types as _task_types
from moorage_api.messages import types as _types

class CreateTaskRequest(_Message):
    container_id: str
    @property
    def rootfs(self) -> _RepeatedCompositeFieldContainer[_types.Mount]: ...
    stdin: str
    stdout: str
    stderr: str
    terminal: bool
    @property
    def checkpoint(self) -> _types.Descriptor: ...
    @property
    def options(self) -> _any_pb2.Any: ...
    runtime_path: str
    task_api_address: str
    task_api_version: int
    def __init__(
        self,
        *,
        container_id: str | None = ...,
        rootfs: _Iterable[_types.Mount] | None = ...,
        stdin: str | None = ...,
        stdout: str | None = ...,
        stderr: str | None = ...,
        terminal: bool | None = ...,
        checkpoint: _types.Descriptor | None = ...,
        options: _any_pb2.Any | None = ...,
        runtime_path: str | None = ...,
        task_api_address: str | None = ...,
        task_api_version: int | None = ...,
    ) -> None: ...

class CreateTaskResponse(_Message):
    container_id: str
    pid: int
    def __init__(
        self,
        *,
        container_id: str | None = ...,
        pid: int | None = ...,
    ) -> None: ...

class StartRequest(_Message):
    container_id: str
    exec_id: str
    def __init__(
        self,
        *,
        container_id: str | None = ...,
        exec_id: str | None = ...,
    ) -> None: ...

class StartResponse(_Message):
    pid: int
    def __init__(
        self,
        *,
        pid: int | None = ...,
    ) -> None: ...

class DeleteTaskRequest(_Message):
    container_id: str
    def __init__(
        self,
        *,
        container_id: str | None = ...,
    ) -> None: ...

class DeleteResponse(_Message):
    """The id is set for processes only, not for tasks."""
    id: str
    pid: int
    exit_status: int
    @property
    def exited_at(self) -> _timestamp_pb2.Timestamp: ...
    def __init__(
        self,
        *,
        id: str | None = ...,
        pid: int | None = ...,
        exit_status: int | None = ...,
        exited_at: _timestamp_pb2.Timestamp | None = ...,
    ) -> None: ...

class DeleteProcessRequest(_Message):
    container_id: str
    exec_id: str
    def __init__(
        self,
        *,
        container_id: str | None = ...,
        exec_id: str | None = ...,
    ) -> None: ...

class GetRequest(_Message):
    container_id: str
    exec_id: str
    def __init__(
        self,
        *,
        container_id: str | None = ...,
        exec_id: str | None = ...,
    ) -> None: ...

class GetResponse(_Message):
    @property
    def process(self) -> _task_types.Process: ...
    def __init__(
        self,
        *,
        process: _task_types.Process | None = ...,
    ) -> None: ...

class ListTasksRequest(_Message):
    filter: str
    def __init__(
        self,
        *,
        filter: str | None = ...,
    ) -> None: ...

class ListTasksResponse(_Message):
    @property
    def tasks(self) -> _RepeatedCompositeFieldContainer[_task_types.Process]: ...
    def __init__(
        self,
        *,
        tasks: _Iterable[_task_types.Process] | None = ...,
    ) -> None: ...

class KillRequest(_Message):
    container_id: str
    exec_id: str
    signal: int
    all: bool
    def __init__(
        self,
        *,
        container_id: str | None = ...,
        exec_id: str | None = ...,
        signal: int | None = ...,
        all: bool | None = ...,
    ) -> None: ...

class ExecProcessRequest(_Message):
    container_id: str
    stdin: str
    stdout: str
    stderr: str
    terminal: bool
    @property
    def spec(self) -> _any_pb2.Any: ...
    exec_id: str
    def __init__(
        self,
        *,
        container_id: str | None = ...,
        stdin: str | None = ...,
        stdout: str | None = ...,
        stderr: str | None = ...,
        terminal: bool | None = ...,
        spec: _any_pb2.Any | None = ...,
        exec_id: str | None = ...,
    ) -> None: ...

class ExecProcessResponse(_Message):
    def __init__(self) -> None: ...

class ResizePtyRequest(_Message):
    container_id: str
    exec_id: str
    width: int
    height: int
    def __init__(
        self,
        *,
        container_id: str | None = ...,
        exec_id: str | None = ...,
        width: int | None = ...,
        height: int | None = ...,
    ) -> None: ...

class CloseIORequest(_Message):
    container_id: str
    exec_id: str
    stdin: bool
    def __init__(
        self,
        *,
        container_id: str | None = ...,
        exec_id: str | None = ...,
        stdin: bool | None = ...,
    ) -> None: ...

class PauseTaskRequest(_Message):
    container_id: str
    def __init__(
        self,
        *,
        container_id: str | None = ...,
    ) -> None: ...

class ResumeTaskRequest(_Message):
    container_id: str
    def __init__(
        self,
        *,
        container_id: str | None = ...,
    ) -> None: ...

class ListPidsRequest(_Message):
    container_id: str
    def __init__(
        self,
        *,
        container_id: str | None = ...,
    ) -> None: ...

class ListPidsResponse(_Message):
    @property
    def processes(self) -> _RepeatedCompositeFieldContainer[_task_types.ProcessInfo]: ...
    def __init__(
        self,
        *,
        processes: _Iterable[_task_types.ProcessInfo] | None = ...,
    ) -> None: ...

class CheckpointTaskRequest(_Message):
    container_id: str
    parent_checkpoint: str
    @property
    def options(self) -> _any_pb2.Any: ...
    def __init__(
        self,
        *,
        container_id: str | None = ...,
        parent_checkpoint: str | None = ...,
        options: _any_pb2.Any | None = ...,
    ) -> None: ...

class CheckpointTaskResponse(_Message):
    @property
    def descriptors(self) -> _RepeatedCompositeFieldContainer[_types.Descriptor]: ...
    def __init__(
        self,
        *,
        descriptors: _Iterable[_types.Descriptor] | None = ...,
    ) -> None: ...

class UpdateTaskRequest(_Message):
    container_id: str
    @property
    def resources(self) -> _any_pb2.Any: ...
    @property
    def annotations(self) -> _ScalarMap[str, str]: ...
    def __init__(
        self,
        *,
        container_id: str | None = ...,
        resources: _any_pb2.Any | None = ...,
        annotations: _Mapping[str, str] | None = ...,
    ) -> None: ...

class MetricsRequest(_Message):
    @property
    def filters(self) -> _RepeatedScalarFieldContainer[str]: ...
    def __init__(
        self,
        *,
        filters: _Iterable[str] | None = ...,
    ) -> None: ...

class MetricsResponse(_Message):
    @property
    def metrics(self) -> _RepeatedCompositeFieldContainer[_types.Metric]: ...
    def __init__(
        self,
        *,
        metrics: _Iterable[_types.Metric] | None = ...,
    ) -> None: ...

class WaitRequest(_Message):
    container_id: str
    exec_id: str
    def __init__(
        self,
        *,
        container_id: str | None = ...,
        exec_id: str | None = ...,
    ) -> None: ...

class WaitResponse(_Message):
    exit_status: int
    @property
    def exited_at(self) -> _timestamp_pb2.Timestamp: ...
    def __init__(
        self,
        *,
        exit_status: int | None = ...,
        exited_at: _timestamp_pb2.Timestamp | None = ...,
    ) -> None: ...
