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

class ContainerCreate(_Message):
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
    image: str
    @property
    def runtime(self) -> ContainerCreate.Runtime: ...
    def __init__(
        self,
        *,
        id: str | None = ...,
        image: str | None = ...,
        runtime: ContainerCreate.Runtime | None = ...,
    ) -> None: ...

class ContainerUpdate(_Message):
    id: str
    image: str
    @property
    def labels(self) -> _ScalarMap[str, str]: ...
    snapshot_key: str
    def __init__(
        self,
        *,
        id: str | None = ...,
        image: str | None = ...,
        labels: _Mapping[str, str] | None = ...,
        snapshot_key: str | None = ...,
    ) -> None: ...

class ContainerDelete(_Message):
    id: str
    def __init__(
        self,
        *,
        id: str | None = ...,
    ) -> None: ...

class ContentCreate(_Message):
    digest: str
    size: int
    def __init__(
        self,
        *,
        digest: str | None = ...,
        size: int | None = ...,
    ) -> None: ...

class ContentDelete(_Message):
    digest: str
    def __init__(
        self,
        *,
        digest: str | None = ...,
    ) -> None: ...

class NamespaceCreate(_Message):
    name: str
    @property
    def labels(self) -> _ScalarMap[str, str]: ...
    def __init__(
        self,
        *,
        name: str | None = ...,
        labels: _Mapping[str, str] | None = ...,
    ) -> None: ...

class NamespaceUpdate(_Message):
    name: str
    @property
    def labels(self) -> _ScalarMap[str, str]: ...
    def __init__(
        self,
        *,
        name: str | None = ...,
        labels: _Mapping[str, str] | None = ...,
    ) -> None: ...

class NamespaceDelete(_Message):
    name: str
    def __init__(
        self,
        *,
        name: str | None = ...,
    ) -> None: ...

class SandboxCreate(_Message):
    sandbox_id: str
    def __init__(
        self,
        *,
        sandbox_id: str | None = ...,
    ) -> None: ...

class SandboxStart(_Message):
    sandbox_id: str
    def __init__(
        self,
        *,
        sandbox_id: str | None = ...,
    ) -> None: ...

class SandboxExit(_Message):
    sandbox_id: str
    exit_status: int
    @property
    def exited_at(self) -> _timestamp_pb2.Timestamp: ...
    def __init__(
        self,
        *,
        sandbox_id: str | None = ...,
        exit_status: int | None = ...,
        exited_at: _timestamp_pb2.Timestamp | None = ...,
    ) -> None: ...

class SnapshotPrepare(_Message):
    key: str
    parent: str
    snapshotter: str
    def __init__(
        self,
        *,
        key: str | None = ...,
        parent: str | None = ...,
        snapshotter: str | None = ...,
    ) -> None: ...

class SnapshotCommit(_Message):
    key: str
    name: str
    snapshotter: str
    def __init__(
        self,
        *,
        key: str | None = ...,
        name: str | None = ...,
        snapshotter: str | None = ...,
    ) -> None: ...

class SnapshotRemove(_Message):
    key: str
    snapshotter: str
    def __init__(
        self,
        *,
        key: str | None = ...,
        snapshotter: str | None = ...,
    ) -> None: ...

class TaskCreate(_Message):
    container_id: str
    bundle: str
    @property
    def rootfs(self) -> _RepeatedCompositeFieldContainer[_types.Mount]: ...
    @property
    def io(self) -> TaskIO: ...
    checkpoint: str
    pid: int
    def __init__(
        self,
        *,
        container_id: str | None = ...,
        bundle: str | None = ...,
        rootfs: _Iterable[_types.Mount] | None = ...,
        io: TaskIO | None = ...,
        checkpoint: str | None = ...,
        pid: int | None = ...,
    ) -> None: ...

class TaskStart(_Message):
    container_id: str
    pid: int
    def __init__(
        self,
        *,
        container_id: str | None = ...,
        pid: int | None = ...,
    ) -> None: ...

class TaskDelete(_Message):
    container_id: str
    pid: int
    exit_status: int
    @property
    def exited_at(self) -> _timestamp_pb2.Timestamp: ...
    id: str
    def __init__(
        self,
        *,
        container_id: str | None = ...,
        pid: int | None = ...,
        exit_status: int | None = ...,
        exited_at: _timestamp_pb2.Timestamp | None = ...,
        id: str | None = ...,
    ) -> None: ...

class TaskIO(_Message):
    stdin: str
    stdout: str
    stderr: str
    terminal: bool
    def __init__(
        self,
        *,
        stdin: str | None = ...,
        stdout: str | None = ...,
        stderr: str | None = ...,
        terminal: bool | None = ...,
    ) -> None: ...

class TaskExit(_Message):
    """The id is the container's for the init process, the exec's otherwise."""
    container_id: str
    id: str
    pid: int
    exit_status: int
    @property
    def exited_at(self) -> _timestamp_pb2.Timestamp: ...
    def __init__(
        self,
        *,
        container_id: str | None = ...,
        id: str | None = ...,
        pid: int | None = ...,
        exit_status: int | None = ...,
        exited_at: _timestamp_pb2.Timestamp | None = ...,
    ) -> None: ...

class TaskOOM(_Message):
    container_id: str
    def __init__(
        self,
        *,
        container_id: str | None = ...,
    ) -> None: ...

class TaskExecAdded(_Message):
    container_id: str
    exec_id: str
    def __init__(
        self,
        *,
        container_id: str | None = ...,
        exec_id: str | None = ...,
    ) -> None: ...

class TaskExecStarted(_Message):
    container_id: str
    exec_id: str
    pid: int
    def __init__(
        self,
        *,
        container_id: str | None = ...,
        exec_id: str | None = ...,
        pid: int | None = ...,
    ) -> None: ...

class TaskPaused(_Message):
    container_id: str
    def __init__(
        self,
        *,
        container_id: str | None = ...,
    ) -> None: ...

class TaskResumed(_Message):
    container_id: str
    def __init__(
        self,
        *,
        container_id: str | None = ...,
    ) -> None: ...

class TaskCheckpointed(_Message):
    container_id: str
    checkpoint: str
    def __init__(
        self,
        *,
        container_id: str | None = ...,
        checkpoint: str | None = ...,
    ) -> None: ...
