"""Services as tables: what a method is called on the wire, what it takes and what it answers. No grpc in here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from google.protobuf import descriptor_pb2
from google.protobuf.message import Message

from moorage_api import definitions


@dataclass(frozen=True)
class Method:
    """One method. ``path`` is ``/<service>/<name>``, as in the HTTP/2 request and in ttrpc's two fields."""

    name: str
    path: str
    request: type[Message]
    response: type[Message]
    client_streaming: bool
    server_streaming: bool


@dataclass(frozen=True)
class Service:
    """A service by its full name, and its methods by their bare names in the order of the proto file."""

    name: str
    methods: Mapping[str, Method]


def names() -> list[str]:
    """Full names of all services of all APIs."""
    return sorted(f"{file.package}.{each.name}" for file in definitions.files().values() for each in file.service)


@cache
def service(name: str) -> Service:
    """The table of one service, such as ``containerd.services.images.v1.Images``. Raises KeyError for another name."""
    file = definitions.files()[definitions.owners()[name]]
    for each in file.service:
        if f"{file.package}.{each.name}" == name:
            return Service(name, {method.name: _method(name, method) for method in each.method})
    raise KeyError(name)


def _method(owner: str, method: descriptor_pb2.MethodDescriptorProto) -> Method:
    return Method(
        name=method.name,
        path=f"/{owner}/{method.name}",
        request=definitions.message(method.input_type.removeprefix(".")),
        response=definitions.message(method.output_type.removeprefix(".")),
        client_streaming=method.client_streaming,
        server_streaming=method.server_streaming,
    )
