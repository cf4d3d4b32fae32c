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
    id: str
    bundle: str
    @property
    def rootfs(self) -> _RepeatedCompositeFieldContainer[_types.Mount]: ...
    terminal: bool
    stdin: str
    stdout: str
    stderr: str
    checkpoint: str
    parent_checkpoint: str
    @property
    def options(self) -> _any_pb2.Any: ...
    def __init__(
        self,
        *,
        id: str | None = ...,
        bundle: str | None = ...,
        rootfs: _Iterable[_types.Mount] | None = ...,
        terminal: bool | None = ...,
        stdin: str | None = ...,
        stdout: str | None = ...,
        stderr: str | None = ...,
        checkpoint: str | None = ...,
        parent_checkpoint: str | None = ...,
        options: _any_pb2.Any | None = ...,
    ) -> None: ...

class CreateTaskResponse(_Message):
    pid: int
    def __init__(
        self,
        *,
        pid: int | None = ...,
    ) -> None: ...

class DeleteRequest(_Message):
    id: str
    exec_id: str
    def __init__(
        self,
        *,
        id: str | None = ...,
        exec_id: str | None = ...,
    ) -> None: ...

class DeleteResponse(_Message):
    pid: int
    exit_status: int
    @property
    def exited_at(self) -> _timestamp_pb2.Timestamp: ...
    def __init__(
        self,
        *,
        pid: int | None = ...,
        exit_status: int | None = ...,
        exited_at: _timestamp_pb2.Timestamp | None = ...,
    ) -> None: ...

class ExecProcessRequest(_Message):
    id: str
    exec_id: str
    terminal: bool
    stdin: str
    stdout: str
    stderr: str
    @property
    def spec(self) -> _any_pb2.Any: ...
    def __init__(
        self,
        *,
        id: str | None = ...,
        exec_id: str | None = ...,
        terminal: bool | None = ...,
        stdin: str | None = ...,
        stdout: str | None = ...,
        stderr: str | None = ...,
        spec: _any_pb2.Any | None = ...,
    ) -> None: ...

class ExecProcessResponse(_Message):
    def __init__(self) -> None: ...

class ResizePtyRequest(_Message):
    id: str
    exec_id: str
    width: int
    height: int
    def __init__(
        self,
        *,
        id: str | None = ...,
        exec_id: str | None = ...,
        width: int | None = ...,
        height: int | None = ...,
    ) -> None: ...

class StateRequest(_Message):
    id: str
    exec_id: str
    def __init__(
        self,
        *,
        id: str | None = ...,
        exec_id: str | None = ...,
    ) -> None: ...

class StateResponse(_Message):
    id: str
    bundle: str
    pid: int
    status: int
    stdin: str
    stdout: str
    stderr: str
    terminal: bool
    exit_status: int
    @property
    def exited_at(self) -> _timestamp_pb2.Timestamp: ...
    exec_id: str
    def __init__(
        self,
        *,
        id: str | None = ...,
        bundle: str | None = ...,
        pid: int | None = ...,
        status: int | None = ...,
        stdin: str | None = ...,
        stdout: str | None = ...,
        stderr: str | None = ...,
        terminal: bool | None = ...,
        exit_status: int | None = ...,
        exited_at: _timestamp_pb2.Timestamp | None = ...,
        exec_id: str | None = ...,
    ) -> None: ...

class KillRequest(_Message):
    id: str
    exec_id: str
    signal: int
    all: bool
    def __init__(
        self,
        *,
        id: str | None = ...,
        exec_id: str | None = ...,
        signal: int | None = ...,
        all: bool | None = ...,
    ) -> None: ...

class CloseIORequest(_Message):
    id: str
    exec_id: str
    stdin: bool
    def __init__(
        self,
        *,
        id: str | None = ...,
        exec_id: str | None = ...,
        stdin: bool | None = ...,
    ) -> None: ...

class PidsRequest(_Message):
    id: str
    def __init__(
        self,
        *,
        id: str | None = ...,
    ) -> None: ...

class PidsResponse(_Message):
    @property
    def processes(self) -> _RepeatedCompositeFieldContainer[_task_types.ProcessInfo]: ...
    def __init__(
        self,
        *,
        processes: _Iterable[_task_types.ProcessInfo] | None = ...,
    ) -> None: ...

class CheckpointTaskRequest(_Message):
    id: str
    path: str
    @property
    def options(self) -> _any_pb2.Any: ...
    def __init__(
        self,
        *,
        id: str | None = ...,
        path: str | None = ...,
        options: _any_pb2.Any | None = ...,
    ) -> None: ...

class UpdateTaskRequest(_Message):
    id: str
    @property
    def resources(self) -> _any_pb2.Any: ...
    @property
    def annotations(self) -> _ScalarMap[str, str]: ...
    def __init__(
        self,
        *,
        id: str | None = ...,
        resources: _any_pb2.Any | None = ...,
        annotations: _Mapping[str, str] | None = ...,
    ) -> None: ...

class StartRequest(_Message):
    id: str
    exec_id: str
    def __init__(
        self,
        *,
        id: str | None = ...,
        exec_id: str | None = ...,
    ) -> None: ...

class StartResponse(_Message):
    pid: int
    def __init__(
        self,
        *,
        pid: int | None = ...,
    ) -> None: ...

class WaitRequest(_Message):
    id: str
    exec_id: str
    def __init__(
        self,
        *,
        id: str | None = ...,
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

class StatsRequest(_Message):
    id: str
    def __init__(
        self,
        *,
        id: str | None = ...,
    ) -> None: ...

class StatsResponse(_Message):
    @property
    def stats(self) -> _any_pb2.Any: ...
    def __init__(
        self,
        *,
        stats: _any_pb2.Any | None = ...,
    ) -> None: ...

class ConnectRequest(_Message):
    id: str
    def __init__(
        self,
        *,
        id: str | None = ...,
    ) -> None: ...

class ConnectResponse(_Message):
    shim_pid: int
    task_pid: int
    version: str
    def __init__(
        self,
        *,
        shim_pid: int | None = ...,
        task_pid: int | None = ...,
        version: str | None = ...,
    ) -> None: ...

class ShutdownRequest(_Message):
    id: str
    now: bool
    def __init__(
        self,
        *,
        id: str | None = ...,
        now: bool | None = ...,
    ) -> None: ...

class PauseRequest(_Message):
    id: str
    def __init__(
        self,
        *,
        id: str | None = ...,
    ) -> None: ...

class ResumeRequest(_Message):
    id: str
    def __init__(
        self,
        *,
        id: str | None = ...,
    ) -> None: ...
