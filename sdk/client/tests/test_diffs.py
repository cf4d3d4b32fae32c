from typing import Any

from moorage_api.messages import diff, types
from moorage_client.clients import Client
from moorage_client.diffs import SERVICE
from moorage_sdk.descriptors import OCI_LAYER, OCI_LAYER_GZIP, Descriptor
from moorage_sdk.events import Payload
from moorage_sdk.mounts import Mount

BLOB = Descriptor(OCI_LAYER_GZIP, "sha256:" + "a" * 64, 3)


def test_there_and_back(talk: Any) -> None:
    calls: list[int] = []

    async def apply(request: diff.ApplyRequest, context: Any) -> diff.ApplyResponse:
        assert request.diff.digest == BLOB.digest
        assert request.mounts[0].source == "/s"
        assert {id: payload.value for id, payload in request.payloads.items()} in ({}, {"decoder": b"key"})
        calls.append(len(request.payloads))
        return diff.ApplyResponse(applied=types.Descriptor(media_type=OCI_LAYER, digest="sha256:" + "b" * 64, size=9))

    async def compare(request: diff.DiffRequest, context: Any) -> diff.DiffResponse:
        assert (request.left[0].source, request.right[0].source, request.ref) == ("/l", "/r", "ref")
        assert dict(request.labels) == {"k": "v"}
        return diff.DiffResponse(diff=types.Descriptor(media_type=request.media_type, digest=BLOB.digest, size=3))

    async def work(client: Client) -> None:
        await client.diffs.apply(BLOB, [Mount("bind", "/s")], payloads={"decoder": Payload("example.com/key", b"key")})
        applied = await client.diffs.apply(BLOB, [Mount("bind", "/s")])
        assert calls == [1, 0]
        assert applied == Descriptor(OCI_LAYER, "sha256:" + "b" * 64, 9)
        made = await client.diffs.compare([Mount("b", "/l")], [Mount("b", "/r")], ref="ref", labels={"k": "v"})
        assert made == BLOB

    talk({SERVICE: {"Apply": apply, "Diff": compare}}, work)
