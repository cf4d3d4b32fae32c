"""The listener on TCP: who gets in, by certificates that a client has to show, and who does not."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import grpc.aio
import pytest

from moorage_api.calling import Stub
from moorage_api.messages import introspection
from moorage_sdk import errors
from moorage_testkit import certificates, daemons
from moorage_testkit.certificates import Certificate
from moorage_testkit.daemons import Daemon

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")

SERVICE = "containerd.services.introspection.v1.Introspection"


def free_port() -> int:
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return int(tried.getsockname()[1])


@dataclass(frozen=True)
class House:
    """A daemon on TCP, the authority that it asks its clients for, and a folder for their certificates."""

    daemon: Daemon
    address: str
    authority: Certificate
    folder: Path


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("certificates")
    authority = certificates.make(folder, "authority")
    server = certificates.issue(folder, "server", authority)
    address = f"127.0.0.1:{free_port()}"
    config = f"""
version = 4
[plugins."io.containerd.server.v1.grpc-tcp"]
address = "{address}"
tls_ca = "{authority.certificate}"
tls_cert = "{server.certificate}"
tls_key = "{server.key}"
"""
    with daemons.directory() as base, Daemon(daemons.moorage(config), base) as daemon:
        yield House(daemon, address, authority, folder)


def pid_over(address: str, credentials: grpc.ChannelCredentials | None) -> int:
    """The daemon's process id, asked for over TCP. Raises errors.Unavailable when the connection is refused."""

    async def ask() -> int:
        if credentials is None:
            channel = grpc.aio.insecure_channel(address)
        else:
            channel = grpc.aio.secure_channel(address, credentials)
        async with channel:
            from google.protobuf.empty_pb2 import Empty

            said: introspection.ServerResponse = await Stub(channel, SERVICE).call("Server", Empty(), timeout=10)
            return int(said.pid)

    return asyncio.run(ask())


def showing(client: Certificate | None, trusting: Certificate) -> grpc.ChannelCredentials:
    roots = trusting.certificate.read_bytes()
    if client is None:
        return grpc.ssl_channel_credentials(roots)
    return grpc.ssl_channel_credentials(roots, client.key.read_bytes(), client.certificate.read_bytes())


def test_who_shows_a_certificate_of_the_authority_is_served(house: House) -> None:
    client = certificates.issue(house.folder, "client", house.authority)
    assert pid_over(house.address, showing(client, house.authority)) == house.daemon.pid


@pytest.mark.parametrize("kind", ["none", "plain", "of another authority", "expired", "self-signed"])
def test_everybody_else_is_refused_and_the_others_are_served_on(house: House, kind: str) -> None:
    folder = house.folder
    if kind == "plain":
        credentials = None
    else:
        shown = {
            "none": lambda: None,
            "of another authority": lambda: certificates.issue(folder, "x", certificates.make(folder, "stranger")),
            "expired": lambda: certificates.issue(folder, "late", house.authority, expired=True),
            "self-signed": lambda: certificates.make(folder, "authority-not"),
        }[kind]()
        credentials = showing(shown, house.authority)
    with pytest.raises(errors.Unavailable):
        pid_over(house.address, credentials)
    good = certificates.issue(folder, "good", house.authority)
    assert pid_over(house.address, showing(good, house.authority)) == house.daemon.pid
    assert daemons.answers(house.daemon.address)


def test_a_server_of_another_authority_is_not_believed(house: House) -> None:
    client = certificates.issue(house.folder, "client", house.authority)
    stranger = certificates.make(house.folder, "elsewhere")
    with pytest.raises(errors.Unavailable):
        pid_over(house.address, showing(client, stranger))


def test_somebody_who_says_nothing_keeps_nobody_out(house: House) -> None:
    host, port = house.address.split(":")
    silent = [socket.create_connection((host, int(port))) for _ in range(50)]
    try:
        client = certificates.issue(house.folder, "client", house.authority)
        assert pid_over(house.address, showing(client, house.authority)) == house.daemon.pid
    finally:
        for each in silent:
            each.close()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ('tls_ca = "/nowhere/ca.pem"', "tls_ca: set without tls_cert and tls_key"),
        (
            'tls_cert = "/nowhere/c.pem"\ntls_key = "/nowhere/k.pem"',
            'k.pem\\": No such file or directory: invalid argument',
        ),
    ],
)
def test_a_listener_that_cannot_be_made_is_told_and_the_socket_serves(settings: str, told: str) -> None:
    config = f'version = 4\n[plugins."io.containerd.server.v1.grpc-tcp"]\naddress = "127.0.0.1:0"\n{settings}\n'
    with daemons.directory() as base, Daemon(daemons.moorage(config), base) as daemon:
        assert told in daemon.log.read_text()
