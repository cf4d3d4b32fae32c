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

class Options(_Message):
    """Options of a task that runc runs; number 8 was in use once and stays reserved."""
    no_pivot_root: bool
    no_new_keyring: bool
    shim_cgroup: str
    io_uid: int
    io_gid: int
    binary_name: str
    root: str
    systemd_cgroup: bool
    criu_image_path: str
    criu_work_path: str
    task_api_address: str
    task_api_version: int
    def __init__(
        self,
        *,
        no_pivot_root: bool | None = ...,
        no_new_keyring: bool | None = ...,
        shim_cgroup: str | None = ...,
        io_uid: int | None = ...,
        io_gid: int | None = ...,
        binary_name: str | None = ...,
        root: str | None = ...,
        systemd_cgroup: bool | None = ...,
        criu_image_path: str | None = ...,
        criu_work_path: str | None = ...,
        task_api_address: str | None = ...,
        task_api_version: int | None = ...,
    ) -> None: ...

class CheckpointOptions(_Message):
    """What CRIU may assume and where the images go."""
    exit: bool
    open_tcp: bool
    external_unix_sockets: bool
    terminal: bool
    file_locks: bool
    @property
    def empty_namespaces(self) -> _RepeatedScalarFieldContainer[str]: ...
    cgroups_mode: str
    image_path: str
    work_path: str
    def __init__(
        self,
        *,
        exit: bool | None = ...,
        open_tcp: bool | None = ...,
        external_unix_sockets: bool | None = ...,
        terminal: bool | None = ...,
        file_locks: bool | None = ...,
        empty_namespaces: _Iterable[str] | None = ...,
        cgroups_mode: str | None = ...,
        image_path: str | None = ...,
        work_path: str | None = ...,
    ) -> None: ...

class ProcessDetails(_Message):
    """Names the exec a pid belongs to."""
    exec_id: str
    def __init__(
        self,
        *,
        exec_id: str | None = ...,
    ) -> None: ...
