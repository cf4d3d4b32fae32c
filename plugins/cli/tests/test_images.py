import asyncio
from typing import Any, cast

import pytest

from moorage_cli import images
from moorage_client.clients import Client
from moorage_sdk import errors, platforms
from moorage_sdk.descriptors import Descriptor
from moorage_sdk.images import Image
from moorage_sdk.transfers import Progress, Pull


class Fake:
    def __init__(self, *names: str) -> None:
        self.names = set(names)
        self.pulled: list[Pull] = []
        self.images = self.transfers = self

    async def get(self, name: str) -> Image:
        if name not in self.names:
            raise errors.NotFound(f'image "{name}": not found')
        return Image(name, Descriptor("m", "d", 1))

    async def pull(self, pull: Pull, report: Any) -> None:
        report(Progress("resolving", pull.reference))
        self.pulled.append(pull)
        self.names.add(pull.name or pull.reference)


FULL = "docker.io/library/x:latest"


@pytest.mark.parametrize(
    ("present", "policy", "pulls"),
    [((FULL,), "missing", 0), ((), "missing", 1), ((FULL,), "always", 1), ((FULL,), "never", 0)],
)
def test_policies(present: tuple[str, ...], policy: str, pulls: int) -> None:
    fake = Fake(*present)
    image = asyncio.run(images.obtain(cast(Client, fake), "x", policy, "native", None))
    assert image.name == FULL
    assert len(fake.pulled) == pulls


def test_never_is_never() -> None:
    with pytest.raises(errors.NotFound):
        asyncio.run(images.obtain(cast(Client, Fake()), "x", "never", "native", None))


def test_what_is_pulled_and_unpacked(capsys: pytest.CaptureFixture[str]) -> None:
    fake = Fake()
    asyncio.run(images.obtain(cast(Client, fake), "x", "missing", "native", platforms.parse("arm64")))
    pull = fake.pulled[0]
    assert pull.reference == FULL
    assert [str(each) for each in pull.platforms] == ["linux/arm64"]
    assert [(str(each.platform), each.snapshotter) for each in pull.unpacks] == [("linux/arm64", "native")]
    assert capsys.readouterr().out == ""


def test_all_platforms_are_unpacked_for_this_one() -> None:
    fake = Fake()
    asyncio.run(images.pull(cast(Client, fake), "x", snapshotter="native", chosen=()))
    assert fake.pulled[0].platforms == ()
    assert [each.platform for each in fake.pulled[0].unpacks] == [platforms.host()]
