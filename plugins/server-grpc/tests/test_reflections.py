"""Reflection as a client without proto files uses it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool

from moorage_api import methods, serving
from moorage_api.calling import Stub
from moorage_api.messages import health, version
from moorage_sdk import errors
from moorage_sdk.services import Service
from moorage_server_grpc import reflections
from moorage_server_grpc.moorings import Mooring
from moorage_server_grpc.servers import UnixServer

VERSION = "containerd.services.version.v1.Version"


class Versions(Service):
    transport = "grpc"
    names = (VERSION,)

    def handlers(self) -> Any:
        return [serving.handler(VERSION, {"Version": self.version})]

    async def version(self, request: Any, context: Any) -> version.VersionResponse:
        return version.VersionResponse(version="1")


def ask(folder: Path, name: str, *questions: dict[str, Any], reflection: bool = True) -> list[Any]:
    """The answers of a server to questions on one stream."""
    request = methods.service(name).methods[reflections.METHOD].request

    async def asked() -> list[Any]:
        server = UnixServer(Mooring(folder / "s.sock", -1, -1), [Versions()], reflection=reflection)
        await server.start()
        try:
            async with grpc.aio.insecure_channel(f"unix:{server.address}") as channel:
                call = channel.stream_stream(
                    methods.service(name).methods[reflections.METHOD].path,
                    request_serializer=request.SerializeToString,
                    response_deserializer=methods.service(name).methods[reflections.METHOD].response.FromString,
                )
                return [answer async for answer in call(iter(request(host="h", **each) for each in questions))]
        finally:
            await server.stop(0)

    return asyncio.run(asked())


@pytest.fixture(params=reflections.NAMES)
def name(request: pytest.FixtureRequest) -> Iterator[str]:
    yield request.param


def test_off_by_default_it_is_no_service(tmp_path: Path, name: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        ask(tmp_path, name, {"list_services": ""}, reflection=False)
    assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_services_are_listed(tmp_path: Path, name: str) -> None:
    (answer,) = ask(tmp_path, name, {"list_services": "*"})
    assert [each.name for each in answer.list_services_response.service] == sorted([VERSION, *reflections.NAMES])
    assert answer.valid_host == "h"
    assert answer.original_request.list_services == "*"


@pytest.mark.parametrize("symbol", [VERSION, f"{VERSION}.Version", "containerd.services.version.v1.VersionResponse"])
def test_a_client_can_build_messages_from_what_it_is_told(tmp_path: Path, name: str, symbol: str) -> None:
    (answer,) = ask(tmp_path, name, {"file_containing_symbol": symbol})
    pool = descriptor_pool.DescriptorPool()
    for data in reversed(answer.file_descriptor_response.file_descriptor_proto):
        pool.AddSerializedFile(data)
    fields = pool.FindMessageTypeByName("containerd.services.version.v1.VersionResponse").fields_by_name
    assert {field: fields[field].number for field in fields} == {"version": 1, "revision": 2}


def test_files_come_by_name_with_what_they_import(tmp_path: Path, name: str) -> None:
    (answer,) = ask(tmp_path, name, {"file_by_filename": "services/images/v1/images.proto"})
    raw = answer.file_descriptor_response.file_descriptor_proto
    files = [descriptor_pb2.FileDescriptorProto.FromString(data) for data in raw]
    assert files[0].name == "services/images/v1/images.proto"
    assert {each for file in files for each in file.dependency} <= {file.name for file in files}
    assert len({file.name for file in files}) == len(files)


def test_what_is_not_there_ends_no_stream(tmp_path: Path, name: str) -> None:
    answers = ask(
        tmp_path,
        name,
        {"file_by_filename": "no.proto"},
        {"file_containing_symbol": "no.Thing"},
        {"file_containing_symbol": f"{VERSION}.NoMethod"},
        {"file_containing_extension": {"containing_type": "google.protobuf.FieldOptions", "extension_number": 1}},
        {"all_extension_numbers_of_type": "no.Thing"},
        {},
        {"list_services": ""},
    )
    assert [each.error_response.error_code for each in answers] == [5, 5, 5, 5, 5, 3, 0]
    assert answers[-1].list_services_response.service


def test_extensions_of_a_message(tmp_path: Path, name: str) -> None:
    kind = "containerd.services.version.v1.VersionResponse"
    (answer,) = ask(tmp_path, name, {"all_extension_numbers_of_type": kind})
    assert answer.all_extension_numbers_response.base_type_name == kind
    assert list(answer.all_extension_numbers_response.extension_number) == []


def test_the_services_themselves_still_answer(tmp_path: Path) -> None:
    from google.protobuf.empty_pb2 import Empty

    async def asked() -> str:
        server = UnixServer(Mooring(tmp_path / "s.sock", -1, -1), [Versions()], reflection=True)
        await server.start()
        try:
            async with grpc.aio.insecure_channel(f"unix:{server.address}") as channel:
                with pytest.raises(errors.Unimplemented):
                    await Stub(channel, "grpc.health.v1.Health").call("Check", health.HealthCheckRequest())
                return str((await Stub(channel, VERSION).call("Version", Empty(), timeout=10)).version)
        finally:
            await server.stop(0)

    assert asyncio.run(asked()) == "1"
