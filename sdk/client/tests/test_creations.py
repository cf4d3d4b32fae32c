"""Against a real containerd: root file systems have to be mounted to look users up."""

import asyncio
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage_client import archives, clients, containers, creations
from moorage_client.clients import Client
from moorage_client.creations import Plan
from moorage_sdk import errors
from moorage_sdk.descriptors import Descriptor
from moorage_sdk.images import Image
from moorage_specs.settings import Settings
from moorage_testkit import daemons, images

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("containerd"), reason="needs root and containerd")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    layout = images.Layout(tmp_path_factory.mktemp("image") / "layout")
    config = {"Cmd": ["x"], "User": "app", "StopSignal": "SIGQUIT"}
    config |= {
        "Labels": {"own": "1", "containerd.io/restart.loguri": "binary:///tmp/evil", "io.cri-containerd.kind": "x"}
    }
    files = [
        images.directory("etc"),
        images.File("etc/passwd", b"app:x:7:8::/:\n"),
        images.File("etc/group", b"video:x:44:app\n"),
    ]
    layout.tag("latest", layout.image([images.layer(files)], config=config))
    archive = images.archive(layout, layout.path.with_suffix(".tar"))
    with daemons.directory() as base, daemons.Daemon(daemons.containerd(), base) as daemon:
        asyncio.run(_load(daemon.address, archive))
        yield daemon.address


async def _load(address: str, archive: Path) -> None:
    async with clients.connect(address) as client:
        with open(archive, "rb") as stream:
            await archives.load(client, stream, "test")


async def _image(client: Client) -> Image:
    return await client.images.get("docker.io/library/test:latest")


async def _empty(client: Client) -> bool:
    snapshots = [info.name async for info in client.snapshots("overlayfs").walk() if info.kind.name == "ACTIVE"]
    return not snapshots and not await client.containers.list() and not await client.leases.list()


def test_a_container_and_its_removal(address: str) -> None:
    async def main() -> None:
        async with clients.connect(address) as client:
            plan = Plan("c", await _image(client), Settings(), labels={"mine": "2"})
            container = await creations.create(client, plan)
            spec = containers.spec_of(container)
            assert spec["process"]["user"] == {"uid": 7, "gid": 8, "additionalGids": [8, 44]}
            # sec_47: an image's labels must not steer the daemon.
            assert container.labels == {"own": "1", "mine": "2", creations.STOP_SIGNAL: "SIGQUIT"}
            assert (await client.snapshots("overlayfs").stat("c")).parent
            with pytest.raises(errors.AlreadyExists, match='container "c": already exists'):
                await creations.create(client, plan)
            assert await client.containers.get("c") == container
            assert await client.snapshots("overlayfs").mounts("c")
            await creations.remove(client, container)
            assert await _empty(client)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        (Settings(user="nobody"), errors.NotFound),
        (Settings(user="4294967296"), errors.InvalidArgument),
        (Settings(working_dir="/proc/self/fd/7"), errors.InvalidArgument),
    ],
)
def test_what_fails_leaves_nothing_behind(address: str, settings: Settings, kind: type[errors.Error]) -> None:
    async def main() -> None:
        async with clients.connect(address) as client:
            with pytest.raises(kind):
                await creations.create(client, Plan("c", await _image(client), settings))
            assert await _empty(client)

    asyncio.run(main())


def test_a_malformed_id(address: str) -> None:
    async def main() -> None:
        async with clients.connect(address) as client:
            with pytest.raises(errors.InvalidArgument):
                await creations.create(client, Plan("no/id", await _image(client), Settings()))
            assert await _empty(client)

    asyncio.run(main())


def test_an_image_without_content(address: str) -> None:
    async def main() -> None:
        async with clients.connect(address) as client:
            gone = Image("gone", Descriptor("application/vnd.oci.image.manifest.v1+json", "sha256:" + "0" * 64, 3))
            with pytest.raises(errors.NotFound):
                await creations.create(client, Plan("c", gone, Settings()))
            assert await _empty(client)

    asyncio.run(main())
