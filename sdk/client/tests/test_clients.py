import asyncio
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from moorage_api.messages import leases
from moorage_api.messages import version as versions
from moorage_client import clients
from moorage_client.clients import Client
from moorage_sdk import errors


def connect(address: str) -> None:
    async def main() -> None:
        async with clients.connect(address):
            raise AssertionError("connected to nothing")

    asyncio.run(main())


def test_no_socket(tmp_path: Path) -> None:
    with pytest.raises(errors.Unavailable, match="no such socket") as caught:
        connect(str(tmp_path / "s"))
    assert caught.value.hint == "is the daemon running?"


def test_a_socket_nobody_listens_at(socket_folder: Path) -> None:
    path = str(socket_folder / "dead")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(path)
    with pytest.raises(errors.Unavailable, match="nobody listens"):
        connect(f"unix://{path}")


@pytest.mark.parametrize("address", ["/" + "x" * 200, "/proc/self/status/x"])
def test_addresses_that_cannot_be(address: str) -> None:
    with pytest.raises((errors.InvalidArgument, errors.Unavailable)):
        connect(address)


def test_a_relative_address(socket_folder: Path, talk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(socket_folder)

    async def version(request: Any, context: Any) -> versions.VersionResponse:
        return versions.VersionResponse(version="1")

    async def work(client: Client) -> str:
        async with clients.connect("s", "test") as again:
            return (await again.versions.get()).version

    assert talk({"containerd.services.version.v1.Version": {"Version": version}}, work) == "1"


def test_a_lease_is_taken_once_and_given_back(talk: Any) -> None:
    log: list[str] = []

    async def create(request: leases.CreateRequest, context: Any) -> leases.CreateResponse:
        log.append("create")
        assert "containerd.io/gc.expire" in request.labels
        return leases.CreateResponse(lease=leases.Lease(id=request.id))

    async def delete(request: leases.DeleteRequest, context: Any) -> Any:
        from google.protobuf.empty_pb2 import Empty

        log.append("delete")
        return Empty()

    async def work(client: Client) -> None:
        with pytest.raises(KeyError):
            async with client.leased() as outer, outer.leased() as inner:
                assert inner is outer
                assert outer._caller.lease
                log.append("work")
                raise KeyError

    talk({"containerd.services.leases.v1.Leases": {"Create": create, "Delete": delete}}, work)
    assert log == ["create", "work", "delete"]


def test_an_error_arrives_as_its_class(talk: Any) -> None:
    async def get(request: Any, context: Any) -> Any:
        raise errors.NotFound('image "x": not found')

    async def work(client: Client) -> None:
        with pytest.raises(errors.NotFound, match='image "x": not found'):
            await client.images.get("x")

    talk({"containerd.services.images.v1.Images": {"Get": get}}, work)


def test_the_package_offers_them_too_and_brings_no_grpc_by_itself() -> None:
    script = (
        "import sys, moorage_client, moorage_sdk.references\n"
        "assert 'grpc' not in sys.modules\n"
        "from moorage_client import Client, connect\n"
        "assert connect.__module__ == Client.__module__ == 'moorage_client.clients'\n"
        "assert not hasattr(moorage_client, 'nonsense')\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
