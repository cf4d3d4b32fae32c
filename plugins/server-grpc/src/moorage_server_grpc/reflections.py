"""Server reflection: which services there are and the files that define them, for clients without proto files.

Both versions of the service (``grpc/reflection/v1/reflection.proto`` and v1alpha, which grpcurl falls back to). Answers
come from protobuf's default pool, so the messages of third parties' services are found there, too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, cast

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import FileDescriptor

from moorage_api import definitions, methods, serving

NAMES = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")
METHOD = "ServerReflectionInfo"


def handlers(services: Iterable[str]) -> dict[str, grpc.GenericRpcHandler]:
    """The handlers of both versions by service name; ``services`` are the full names of what else is served."""
    for file in definitions.files():
        definitions.load(file)
    offered = sorted({*services, *NAMES})
    return {name: serving.handler(name, {METHOD: Reflection(name, offered).info}) for name in NAMES}


class Reflection:
    """One version of the service."""

    def __init__(self, name: str, services: Iterable[str]) -> None:
        self._response = methods.service(name).methods[METHOD].response
        self._services = tuple(services)
        self._pool = descriptor_pool.Default()

    async def info(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        """An answer to each question, in their order; one that cannot be answered does not end the stream."""
        async for request in requests:
            response: Any = self._response()
            response.valid_host = request.host
            response.original_request.CopyFrom(request)
            self._answer(request, response)
            yield response

    def _answer(self, request: Any, response: Any) -> None:
        asked = request.WhichOneof("message_request")
        try:
            match asked:
                case "list_services":
                    for name in self._services:
                        response.list_services_response.service.add(name=name)
                case "all_extension_numbers_of_type":
                    kind = self._pool.FindMessageTypeByName(request.all_extension_numbers_of_type)
                    answer = response.all_extension_numbers_response
                    answer.base_type_name = kind.full_name
                    answer.extension_number.extend(sorted(each.number for each in self._pool.FindAllExtensions(kind)))
                case None:
                    _refuse(response, grpc.StatusCode.INVALID_ARGUMENT, "asks for nothing")
                case _:
                    found = (each.serialized_pb for each in _closure(self._file(asked, request)))
                    response.file_descriptor_response.file_descriptor_proto.extend(found)
        except KeyError as error:
            _refuse(response, grpc.StatusCode.NOT_FOUND, f"{error.args[0]}: not found")

    def _file(self, asked: str, request: Any) -> FileDescriptor:
        """Raises KeyError for a name that nothing has."""
        if asked == "file_by_filename":
            return self._pool.FindFileByName(request.file_by_filename)
        if asked == "file_containing_symbol":
            return self._owner(request.file_containing_symbol)
        extension = request.file_containing_extension
        extended = self._pool.FindMessageTypeByName(extension.containing_type)
        found: Any = self._pool.FindExtensionByNumber(extended, extension.extension_number)
        return cast(FileDescriptor, found.file)  # the stubs of protobuf do not know it

    def _owner(self, symbol: str) -> FileDescriptor:
        try:
            return self._pool.FindFileContainingSymbol(symbol)
        except KeyError:  # which upb, unlike protobuf in Python, also raises for a method
            service, _, method = symbol.rpartition(".")
            found = self._pool.FindServiceByName(service)
            if method not in found.methods_by_name:
                raise
            return found.file


def _closure(file: FileDescriptor) -> Iterator[FileDescriptor]:
    """A file and all that it imports, each once, so that the client need not ask again."""
    pending, seen = [file], {file.name}
    while pending:
        current = pending.pop(0)
        yield current
        for imported in current.dependencies:
            if imported.name not in seen:
                seen.add(imported.name)
                pending.append(imported)


def _refuse(response: Any, code: grpc.StatusCode, message: str) -> None:
    response.error_response.error_code = code.value[0]
    response.error_response.error_message = message
