from typing import Any

from moorage_api.messages import version
from moorage_client.clients import Client
from moorage_client.versions import SERVICE, Version


def test_version(talk: Any) -> None:
    async def answer(request: Any, context: Any) -> version.VersionResponse:
        return version.VersionResponse(version="v2", revision="r")

    async def work(client: Client) -> Version:
        return await client.versions.get(timeout=5)

    assert talk({SERVICE: {"Version": answer}}, work) == Version("v2", "r")
