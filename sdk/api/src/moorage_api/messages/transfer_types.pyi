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
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from moorage_api.messages import types as _types

class ContainerPath(_Message):
    """A file or directory in a container's root file system."""
    container_id: str
    path: str
    no_walk: bool
    preserve_ownership: bool
    def __init__(
        self,
        *,
        container_id: str | None = ...,
        path: str | None = ...,
        no_walk: bool | None = ...,
        preserve_ownership: bool | None = ...,
    ) -> None: ...

class ImageStore(_Message):
    name: str
    @property
    def labels(self) -> _ScalarMap[str, str]: ...
    @property
    def platforms(self) -> _RepeatedCompositeFieldContainer[_types.Platform]: ...
    all_metadata: bool
    manifest_limit: int
    @property
    def extra_references(self) -> _RepeatedCompositeFieldContainer[ImageReference]: ...
    @property
    def unpacks(self) -> _RepeatedCompositeFieldContainer[UnpackConfiguration]: ...
    def __init__(
        self,
        *,
        name: str | None = ...,
        labels: _Mapping[str, str] | None = ...,
        platforms: _Iterable[_types.Platform] | None = ...,
        all_metadata: bool | None = ...,
        manifest_limit: int | None = ...,
        extra_references: _Iterable[ImageReference] | None = ...,
        unpacks: _Iterable[UnpackConfiguration] | None = ...,
    ) -> None: ...

class UnpackConfiguration(_Message):
    @property
    def platform(self) -> _types.Platform: ...
    snapshotter: str
    def __init__(
        self,
        *,
        platform: _types.Platform | None = ...,
        snapshotter: str | None = ...,
    ) -> None: ...

class ImageReference(_Message):
    """A name, or a prefix of names, to give to images that are imported."""
    name: str
    is_prefix: bool
    allow_overwrite: bool
    add_digest: bool
    skip_named_digest: bool
    def __init__(
        self,
        *,
        name: str | None = ...,
        is_prefix: bool | None = ...,
        allow_overwrite: bool | None = ...,
        add_digest: bool | None = ...,
        skip_named_digest: bool | None = ...,
    ) -> None: ...

class ImageImportStream(_Message):
    stream: str
    media_type: str
    force_compress: bool
    def __init__(
        self,
        *,
        stream: str | None = ...,
        media_type: str | None = ...,
        force_compress: bool | None = ...,
    ) -> None: ...

class ImageExportStream(_Message):
    stream: str
    media_type: str
    @property
    def platforms(self) -> _RepeatedCompositeFieldContainer[_types.Platform]: ...
    all_platforms: bool
    skip_compatibility_manifest: bool
    skip_non_distributable: bool
    def __init__(
        self,
        *,
        stream: str | None = ...,
        media_type: str | None = ...,
        platforms: _Iterable[_types.Platform] | None = ...,
        all_platforms: bool | None = ...,
        skip_compatibility_manifest: bool | None = ...,
        skip_non_distributable: bool | None = ...,
    ) -> None: ...

class Progress(_Message):
    event: str
    name: str
    @property
    def parents(self) -> _RepeatedScalarFieldContainer[str]: ...
    progress: int
    total: int
    @property
    def desc(self) -> _types.Descriptor: ...
    def __init__(
        self,
        *,
        event: str | None = ...,
        name: str | None = ...,
        parents: _Iterable[str] | None = ...,
        progress: int | None = ...,
        total: int | None = ...,
        desc: _types.Descriptor | None = ...,
    ) -> None: ...

HTTPDebug: _EnumTypeWrapper
DISABLED: int
DEBUG: int
TRACE: int
BOTH: int

AuthType: _EnumTypeWrapper
NONE: int
CREDENTIALS: int
REFRESH: int
HEADER: int

class OCIRegistry(_Message):
    reference: str
    @property
    def resolver(self) -> RegistryResolver: ...
    def __init__(
        self,
        *,
        reference: str | None = ...,
        resolver: RegistryResolver | None = ...,
    ) -> None: ...

class RegistryResolver(_Message):
    auth_stream: str
    @property
    def headers(self) -> _ScalarMap[str, str]: ...
    host_dir: str
    default_scheme: str
    http_debug: int
    logs_stream: str
    def __init__(
        self,
        *,
        auth_stream: str | None = ...,
        headers: _Mapping[str, str] | None = ...,
        host_dir: str | None = ...,
        default_scheme: str | None = ...,
        http_debug: int | None = ...,
        logs_stream: str | None = ...,
    ) -> None: ...

class AuthRequest(_Message):
    """Sent on the auth stream when a registry wants credentials."""
    host: str
    reference: str
    @property
    def wwwauthenticate(self) -> _RepeatedScalarFieldContainer[str]: ...
    def __init__(
        self,
        *,
        host: str | None = ...,
        reference: str | None = ...,
        wwwauthenticate: _Iterable[str] | None = ...,
    ) -> None: ...

class AuthResponse(_Message):
    authType: int
    secret: str
    username: str
    @property
    def expire_at(self) -> _timestamp_pb2.Timestamp: ...
    def __init__(
        self,
        *,
        authType: int | None = ...,
        secret: str | None = ...,
        username: str | None = ...,
        expire_at: _timestamp_pb2.Timestamp | None = ...,
    ) -> None: ...

class Data(_Message):
    """A piece of a byte stream."""
    data: bytes
    def __init__(
        self,
        *,
        data: bytes | None = ...,
    ) -> None: ...

class WindowUpdate(_Message):
    """Grants the sender this many more bytes."""
    update: int
    def __init__(
        self,
        *,
        update: int | None = ...,
    ) -> None: ...

class ReadStream(_Message):
    stream: str
    media_type: str
    def __init__(
        self,
        *,
        stream: str | None = ...,
        media_type: str | None = ...,
    ) -> None: ...

class WriteStream(_Message):
    stream: str
    media_type: str
    def __init__(
        self,
        *,
        stream: str | None = ...,
        media_type: str | None = ...,
    ) -> None: ...
