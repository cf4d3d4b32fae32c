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

LogLevel: _EnumTypeWrapper
LOG_LEVEL_INFO: int
LOG_LEVEL_TRACE: int
LOG_LEVEL_DEBUG: int
LOG_LEVEL_WARN: int
LOG_LEVEL_ERROR: int
LOG_LEVEL_FATAL: int
LOG_LEVEL_PANIC: int

Capability: _EnumTypeWrapper
CAPABILITY_UNSPECIFIED: int

class BootstrapParams(_Message):
    """Binary protobuf on the stdin of a shim that is started."""
    instance_id: str
    namespace: str
    log_level: int
    containerd_version: str
    containerd_ttrpc_address: str
    containerd_grpc_address: str
    containerd_binary: str
    @property
    def extensions(self) -> _RepeatedCompositeFieldContainer[Extension]: ...
    socket_dir: str
    def __init__(
        self,
        *,
        instance_id: str | None = ...,
        namespace: str | None = ...,
        log_level: int | None = ...,
        containerd_version: str | None = ...,
        containerd_ttrpc_address: str | None = ...,
        containerd_grpc_address: str | None = ...,
        containerd_binary: str | None = ...,
        extensions: _Iterable[Extension] | None = ...,
        socket_dir: str | None = ...,
    ) -> None: ...

class Extension(_Message):
    @property
    def value(self) -> _any_pb2.Any: ...
    def __init__(
        self,
        *,
        value: _any_pb2.Any | None = ...,
    ) -> None: ...

class BootstrapResult(_Message):
    """Where the shim serves, on its stdout."""
    version: int
    address: str
    protocol: str
    @property
    def capabilities(self) -> _RepeatedScalarFieldContainer[int]: ...
    @property
    def metadata(self) -> _ScalarMap[str, str]: ...
    def __init__(
        self,
        *,
        version: int | None = ...,
        address: str | None = ...,
        protocol: str | None = ...,
        capabilities: _Iterable[int] | None = ...,
        metadata: _Mapping[str, str] | None = ...,
    ) -> None: ...
