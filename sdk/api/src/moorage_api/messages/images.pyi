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
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from moorage_api.messages import types as _types

class Image(_Message):
    """An image record; the name is unique in its namespace."""
    name: str
    @property
    def labels(self) -> _ScalarMap[str, str]: ...
    @property
    def target(self) -> _types.Descriptor: ...
    @property
    def created_at(self) -> _timestamp_pb2.Timestamp: ...
    @property
    def updated_at(self) -> _timestamp_pb2.Timestamp: ...
    def __init__(
        self,
        *,
        name: str | None = ...,
        labels: _Mapping[str, str] | None = ...,
        target: _types.Descriptor | None = ...,
        created_at: _timestamp_pb2.Timestamp | None = ...,
        updated_at: _timestamp_pb2.Timestamp | None = ...,
    ) -> None: ...

class GetImageRequest(_Message):
    name: str
    def __init__(
        self,
        *,
        name: str | None = ...,
    ) -> None: ...

class GetImageResponse(_Message):
    @property
    def image(self) -> Image: ...
    def __init__(
        self,
        *,
        image: Image | None = ...,
    ) -> None: ...

class CreateImageRequest(_Message):
    @property
    def image(self) -> Image: ...
    @property
    def source_date_epoch(self) -> _timestamp_pb2.Timestamp: ...
    def __init__(
        self,
        *,
        image: Image | None = ...,
        source_date_epoch: _timestamp_pb2.Timestamp | None = ...,
    ) -> None: ...

class CreateImageResponse(_Message):
    @property
    def image(self) -> Image: ...
    def __init__(
        self,
        *,
        image: Image | None = ...,
    ) -> None: ...

class UpdateImageRequest(_Message):
    @property
    def image(self) -> Image: ...
    @property
    def update_mask(self) -> _field_mask_pb2.FieldMask: ...
    @property
    def source_date_epoch(self) -> _timestamp_pb2.Timestamp: ...
    def __init__(
        self,
        *,
        image: Image | None = ...,
        update_mask: _field_mask_pb2.FieldMask | None = ...,
        source_date_epoch: _timestamp_pb2.Timestamp | None = ...,
    ) -> None: ...

class UpdateImageResponse(_Message):
    @property
    def image(self) -> Image: ...
    def __init__(
        self,
        *,
        image: Image | None = ...,
    ) -> None: ...

class ListImagesRequest(_Message):
    @property
    def filters(self) -> _RepeatedScalarFieldContainer[str]: ...
    def __init__(
        self,
        *,
        filters: _Iterable[str] | None = ...,
    ) -> None: ...

class ListImagesResponse(_Message):
    @property
    def images(self) -> _RepeatedCompositeFieldContainer[Image]: ...
    def __init__(
        self,
        *,
        images: _Iterable[Image] | None = ...,
    ) -> None: ...

class DeleteImageRequest(_Message):
    """With target, only an image that still points there is deleted."""
    name: str
    sync: bool
    @property
    def target(self) -> _types.Descriptor: ...
    def __init__(
        self,
        *,
        name: str | None = ...,
        sync: bool | None = ...,
        target: _types.Descriptor | None = ...,
    ) -> None: ...

class ImageCreate(_Message):
    name: str
    @property
    def labels(self) -> _ScalarMap[str, str]: ...
    def __init__(
        self,
        *,
        name: str | None = ...,
        labels: _Mapping[str, str] | None = ...,
    ) -> None: ...

class ImageUpdate(_Message):
    name: str
    @property
    def labels(self) -> _ScalarMap[str, str]: ...
    def __init__(
        self,
        *,
        name: str | None = ...,
        labels: _Mapping[str, str] | None = ...,
    ) -> None: ...

class ImageDelete(_Message):
    name: str
    def __init__(
        self,
        *,
        name: str | None = ...,
    ) -> None: ...
