import json
from typing import Any

from moorage_sdk import platforms


def test_table_and_names(cli: Any) -> None:
    out = cli("images").out.splitlines()
    assert out[0].split() == ["IMAGE", "DIGEST", "PLATFORM", "CREATED", "SIZE"]
    row = next(line for line in out if line.startswith("busybox:latest"))
    assert str(platforms.host()) in row
    assert "iB" in row
    assert "docker.io/library/busybox:latest" in cli("images", "-q").out.split()


def test_json(cli: Any) -> None:
    found = [json.loads(line) for line in cli("images", "--format", "json").out.splitlines()]
    image = next(each for each in found if each["name"] == "docker.io/library/busybox:latest")
    assert image["digest"].startswith("sha256:")
    assert image["platforms"][str(platforms.host())] > 100_000


def test_an_image_whose_content_is_gone_is_still_listed(cli: Any, daemon: Any, namespace: str) -> None:
    digest = "sha256:" + "0" * 64
    import asyncio

    from moorage_client import clients
    from moorage_sdk.descriptors import OCI_MANIFEST, Descriptor
    from moorage_sdk.images import Image

    async def name_nothing() -> None:
        async with clients.connect(daemon.address, namespace) as client:
            await client.images.create(Image("ghost", Descriptor(OCI_MANIFEST, digest, 5)))

    asyncio.run(name_nothing())
    assert any(line.startswith("ghost") for line in cli("images", "--no-trunc").out.splitlines())
    assert digest in cli("images", "--no-trunc").out
    assert cli("rmi", "ghost").code == 0
