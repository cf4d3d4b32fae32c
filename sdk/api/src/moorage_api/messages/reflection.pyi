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

class ServerReflectionRequest(_Message):
    """One question; host is free text."""
    host: str
    file_by_filename: str
    file_containing_symbol: str
    @property
    def file_containing_extension(self) -> ExtensionRequest: ...
    all_extension_numbers_of_type: str
    list_services: str
    def __init__(
        self,
        *,
        host: str | None = ...,
        file_by_filename: str | None = ...,
        file_containing_symbol: str | None = ...,
        file_containing_extension: ExtensionRequest | None = ...,
        all_extension_numbers_of_type: str | None = ...,
        list_services: str | None = ...,
    ) -> None: ...

class ExtensionRequest(_Message):
    containing_type: str
    extension_number: int
    def __init__(
        self,
        *,
        containing_type: str | None = ...,
        extension_number: int | None = ...,
    ) -> None: ...

class ServerReflectionResponse(_Message):
    """The answer to one question, in the order of the questions."""
    valid_host: str
    @property
    def original_request(self) -> ServerReflectionRequest: ...
    @property
    def file_descriptor_response(self) -> FileDescriptorResponse: ...
    @property
    def all_extension_numbers_response(self) -> ExtensionNumberResponse: ...
    @property
    def list_services_response(self) -> ListServiceResponse: ...
    @property
    def error_response(self) -> ErrorResponse: ...
    def __init__(
        self,
        *,
        valid_host: str | None = ...,
        original_request: ServerReflectionRequest | None = ...,
        file_descriptor_response: FileDescriptorResponse | None = ...,
        all_extension_numbers_response: ExtensionNumberResponse | None = ...,
        list_services_response: ListServiceResponse | None = ...,
        error_response: ErrorResponse | None = ...,
    ) -> None: ...

class FileDescriptorResponse(_Message):
    """Serialized google.protobuf.FileDescriptorProto: the one asked for, then those that it imports."""
    @property
    def file_descriptor_proto(self) -> _RepeatedScalarFieldContainer[bytes]: ...
    def __init__(
        self,
        *,
        file_descriptor_proto: _Iterable[bytes] | None = ...,
    ) -> None: ...

class ExtensionNumberResponse(_Message):
    base_type_name: str
    @property
    def extension_number(self) -> _RepeatedScalarFieldContainer[int]: ...
    def __init__(
        self,
        *,
        base_type_name: str | None = ...,
        extension_number: _Iterable[int] | None = ...,
    ) -> None: ...

class ListServiceResponse(_Message):
    @property
    def service(self) -> _RepeatedCompositeFieldContainer[ServiceResponse]: ...
    def __init__(
        self,
        *,
        service: _Iterable[ServiceResponse] | None = ...,
    ) -> None: ...

class ServiceResponse(_Message):
    name: str
    def __init__(
        self,
        *,
        name: str | None = ...,
    ) -> None: ...

class ErrorResponse(_Message):
    """A code of google.rpc.Code."""
    error_code: int
    error_message: str
    def __init__(
        self,
        *,
        error_code: int | None = ...,
        error_message: str | None = ...,
    ) -> None: ...
