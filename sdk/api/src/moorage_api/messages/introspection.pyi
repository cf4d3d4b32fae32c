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
from moorage_api.messages import rpc_status as _rpc_status
from moorage_api.messages import types as _types

class Plugin(_Message):
    """One plugin; init_err is set when it failed or was skipped."""
    type: str
    id: str
    @property
    def requires(self) -> _RepeatedScalarFieldContainer[str]: ...
    @property
    def platforms(self) -> _RepeatedCompositeFieldContainer[_types.Platform]: ...
    @property
    def exports(self) -> _ScalarMap[str, str]: ...
    @property
    def capabilities(self) -> _RepeatedScalarFieldContainer[str]: ...
    @property
    def init_err(self) -> _rpc_status.Status: ...
    def __init__(
        self,
        *,
        type: str | None = ...,
        id: str | None = ...,
        requires: _Iterable[str] | None = ...,
        platforms: _Iterable[_types.Platform] | None = ...,
        exports: _Mapping[str, str] | None = ...,
        capabilities: _Iterable[str] | None = ...,
        init_err: _rpc_status.Status | None = ...,
    ) -> None: ...

class PluginsRequest(_Message):
    @property
    def filters(self) -> _RepeatedScalarFieldContainer[str]: ...
    def __init__(
        self,
        *,
        filters: _Iterable[str] | None = ...,
    ) -> None: ...

class PluginsResponse(_Message):
    @property
    def plugins(self) -> _RepeatedCompositeFieldContainer[Plugin]: ...
    def __init__(
        self,
        *,
        plugins: _Iterable[Plugin] | None = ...,
    ) -> None: ...

class ServerResponse(_Message):
    """The uuid survives restarts; pidns is the inode of the pid namespace."""
    uuid: str
    pid: int
    pidns: int
    @property
    def deprecations(self) -> _RepeatedCompositeFieldContainer[DeprecationWarning]: ...
    def __init__(
        self,
        *,
        uuid: str | None = ...,
        pid: int | None = ...,
        pidns: int | None = ...,
        deprecations: _Iterable[DeprecationWarning] | None = ...,
    ) -> None: ...

class DeprecationWarning(_Message):
    id: str
    message: str
    @property
    def last_occurrence(self) -> _timestamp_pb2.Timestamp: ...
    def __init__(
        self,
        *,
        id: str | None = ...,
        message: str | None = ...,
        last_occurrence: _timestamp_pb2.Timestamp | None = ...,
    ) -> None: ...

class PluginInfoRequest(_Message):
    type: str
    id: str
    @property
    def options(self) -> _any_pb2.Any: ...
    def __init__(
        self,
        *,
        type: str | None = ...,
        id: str | None = ...,
        options: _any_pb2.Any | None = ...,
    ) -> None: ...

class PluginInfoResponse(_Message):
    @property
    def plugin(self) -> Plugin: ...
    @property
    def extra(self) -> _any_pb2.Any: ...
    def __init__(
        self,
        *,
        plugin: Plugin | None = ...,
        extra: _any_pb2.Any | None = ...,
    ) -> None: ...
