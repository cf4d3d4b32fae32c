import asyncio
from collections.abc import Sequence
from typing import Any

from moorage_sdk.services import SERVER, SERVICE, TTRPC_SERVICE, Server, Service


def test_a_service_says_where_it_can_be_offered() -> None:
    class Version(Service):
        transport = "grpc"
        names = ("containerd.services.version.v1.Version",)

        def handlers(self) -> Sequence[Any]:
            return ["handler"]

    version = Version()
    assert (version.transport, version.names, version.handlers()) == ("grpc", Version.names, ["handler"])


def test_a_server_is_started_and_stopped_on_the_loop() -> None:
    class Quiet(Server):
        address = "/run/x.sock"
        grace = -1.0

        async def start(self) -> None: ...

        async def stop(self, grace: float) -> None:
            self.grace = grace

    async def live() -> float:
        server = Quiet()
        await server.start()
        await server.stop(2)
        return server.grace

    assert asyncio.run(live()) == 2


def test_the_slots_are_containerds() -> None:
    types = ("io.containerd.grpc.v1", "io.containerd.ttrpc.v1", "io.containerd.server.v1")
    assert (SERVICE.type, TTRPC_SERVICE.type, SERVER.type) == types
