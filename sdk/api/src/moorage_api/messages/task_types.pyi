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

Status: _EnumTypeWrapper
UNKNOWN: int
CREATED: int
RUNNING: int
STOPPED: int
PAUSED: int
PAUSING: int

class Process(_Message):
    """State of one process; exited_at is set once it has exited."""
    container_id: str
    id: str
    pid: int
    status: int
    stdin: str
    stdout: str
    stderr: str
    terminal: bool
    exit_status: int
    @property
    def exited_at(self) -> _timestamp_pb2.Timestamp: ...
    def __init__(
        self,
        *,
        container_id: str | None = ...,
        id: str | None = ...,
        pid: int | None = ...,
        status: int | None = ...,
        stdin: str | None = ...,
        stdout: str | None = ...,
        stderr: str | None = ...,
        terminal: bool | None = ...,
        exit_status: int | None = ...,
        exited_at: _timestamp_pb2.Timestamp | None = ...,
    ) -> None: ...

class ProcessInfo(_Message):
    pid: int
    @property
    def info(self) -> _any_pb2.Any: ...
    def __init__(
        self,
        *,
        pid: int | None = ...,
        info: _any_pb2.Any | None = ...,
    ) -> None: ...
