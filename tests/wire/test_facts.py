"""The committed descriptor sets against containerd's API, message by message and service by service.

The facts are JSON files that lie beside the repository, in ``shared/wire``. Where they are absent, the golden bytes of
``sdk/api/tests/messages`` remain.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2

from moorage_api import definitions

WIRE = Path(__file__).parents[3] / "shared" / "wire"
APIS = ("containerd", "cgroup1-metrics", "cgroup2-metrics")

Field = descriptor_pb2.FieldDescriptorProto
SCALARS = {
    Field.TYPE_DOUBLE: "double",
    Field.TYPE_INT32: "int32",
    Field.TYPE_INT64: "int64",
    Field.TYPE_UINT32: "uint32",
    Field.TYPE_UINT64: "uint64",
    Field.TYPE_BOOL: "bool",
    Field.TYPE_STRING: "string",
    Field.TYPE_BYTES: "bytes",
}


@pytest.fixture(params=APIS)
def facts(request: pytest.FixtureRequest) -> dict[str, Any]:
    path = WIRE / f"{request.param}.json"
    if not path.exists():
        pytest.skip(f"{path.name} is not beside the repository")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_files(facts: dict[str, Any]) -> None:
    for name, fact in facts["files"].items():
        file = definitions.files()[name]
        assert (file.package, file.syntax, sorted(file.dependency)) == (
            fact["package"],
            fact["syntax"],
            sorted(fact["imports"]),
        )
        assert set(fact["defines"]) == set(messages_of(file)) | set(enums_of(file)) | set(services_of(file)), name


def test_messages(facts: dict[str, Any]) -> None:
    described = {name: described_message(node) for file in files(facts) for name, node in messages_of(file).items()}
    assert described == facts["messages"]


def test_enumerations(facts: dict[str, Any]) -> None:
    described = {
        name: {value.name: value.number for value in enum.value}
        for file in files(facts)
        for name, enum in enums_of(file).items()
    }
    assert described == facts.get("enums", {})


def test_services(facts: dict[str, Any]) -> None:
    described = {
        name: {method.name: described_method(method) for method in service.method}
        for file in files(facts)
        for name, service in services_of(file).items()
    }
    assert described == facts["services"]


def files(facts: dict[str, Any]) -> list[descriptor_pb2.FileDescriptorProto]:
    return [definitions.files()[name] for name in facts["files"]]


def walk(file: descriptor_pb2.FileDescriptorProto) -> Iterator[tuple[str, descriptor_pb2.DescriptorProto]]:
    pending = [(file.package, node) for node in file.message_type]
    while pending:
        scope, node = pending.pop()
        if not node.options.map_entry:
            yield f"{scope}.{node.name}", node
            pending += [(f"{scope}.{node.name}", nested) for nested in node.nested_type]


def messages_of(file: descriptor_pb2.FileDescriptorProto) -> dict[str, descriptor_pb2.DescriptorProto]:
    return dict(walk(file))


def enums_of(file: descriptor_pb2.FileDescriptorProto) -> dict[str, descriptor_pb2.EnumDescriptorProto]:
    nested = {f"{name}.{enum.name}": enum for name, node in walk(file) for enum in node.enum_type}
    return {f"{file.package}.{enum.name}": enum for enum in file.enum_type} | nested


def services_of(file: descriptor_pb2.FileDescriptorProto) -> dict[str, descriptor_pb2.ServiceDescriptorProto]:
    return {f"{file.package}.{service.name}": service for service in file.service}


def described_method(method: descriptor_pb2.MethodDescriptorProto) -> list[str]:
    types = ((method.client_streaming, method.input_type), (method.server_streaming, method.output_type))
    return [("stream " if streaming else "") + name.removeprefix(".") for streaming, name in types]


def described_message(node: descriptor_pb2.DescriptorProto) -> dict[str, Any]:
    maps = {each.name: each for each in node.nested_type if each.options.map_entry}
    fields: dict[str, Any] = {each.name: described_field(each, maps) for each in node.field}
    if node.reserved_range:
        fields["#reserved"] = [[each.start, each.end - 1] for each in node.reserved_range]
    return fields


def described_field(field: Field, maps: dict[str, descriptor_pb2.DescriptorProto]) -> list[Any]:
    entry = maps.get(field.type_name.rpartition(".")[2])
    marks = ["optional"] * field.proto3_optional + ["deprecated"] * field.options.deprecated
    if entry is not None:
        return [field.number, f"map<{described_type(entry.field[0])},{described_type(entry.field[1])}>", *marks]
    repeated = "repeated " if field.label == Field.LABEL_REPEATED else ""
    return [field.number, repeated + described_type(field), *marks]


def described_type(field: Field) -> str:
    return SCALARS.get(field.type) or field.type_name.removeprefix(".")
