import asyncio
from typing import Any, cast

import pytest

from moorage_cli import images
from moorage_client import manifests
from moorage_client.clients import Client
from moorage_sdk import errors, labels, platforms
from moorage_sdk.descriptors import OCI_INDEX, OCI_MANIFEST, Descriptor
from moorage_sdk.images import Image
from moorage_sdk.transfers import Progress, Pull, Push
from moorage_specs.configs import Config


class Fake:
    def __init__(self, *names: str) -> None:
        self.names = set(names)
        self.pushed: list[Push] = []
        self.made: list[Image] = []
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

    async def push(self, push: Push, report: Any) -> None:
        report(Progress("uploading", push.reference))
        self.pushed.append(push)

    async def create(self, image: Image) -> Image:
        if image.name in self.names:
            raise errors.AlreadyExists(image.name)
        self.names.add(image.name)
        self.made.append(image)
        return image

    async def delete(self, name: str) -> None:
        self.names.remove(name)


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


@pytest.mark.parametrize(("reference", "goal"), [("", FULL), ("a.io/b", "a.io/b:latest")])
def test_where_an_image_is_pushed(capsys: pytest.CaptureFixture[str], reference: str, goal: str) -> None:
    fake = Fake(FULL)
    assert asyncio.run(images.push(cast(Client, fake), "x", reference)) == goal
    assert fake.pushed == [Push(goal, FULL)]
    assert capsys.readouterr().out.startswith(f"{goal}: pushing\n")


class Several(Fake):
    """The image is an index with a manifest for arm."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
        super().__init__(*names)
        self.contents = self

        async def select(contents: Any, target: Descriptor, wanted: Any) -> tuple[Any, Any]:
            manifest = manifests.Manifest(Descriptor(OCI_MANIFEST, "sha256:m", 2), target, ())
            return manifest, Config(platforms.parse("linux/arm64"))

        monkeypatch.setattr(manifests, "select", select)

    async def get(self, name: str) -> Image:
        found = await super().get(name)
        return Image(found.name, Descriptor(OCI_INDEX, "sha256:i", 1))


ARM, RISC = platforms.parse("linux/arm64"), platforms.parse("linux/riscv64")


def test_one_platform_is_pushed_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Several(monkeypatch, FULL)
    asyncio.run(images.push(cast(Client, fake), "x", chosen=(ARM,), quiet=True))
    assert fake.pushed == [Push(FULL, f"{FULL}@sha256:m")]
    [made] = fake.made
    assert (made.target.digest, list(made.labels)) == ("sha256:m", [labels.GC_EXPIRE])
    assert fake.names == {FULL}


def test_an_image_that_has_the_name_is_not_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Several(monkeypatch, FULL, f"{FULL}@sha256:m")
    asyncio.run(images.push(cast(Client, fake), "x", chosen=(ARM,), quiet=True))
    assert fake.names == {FULL, f"{FULL}@sha256:m"}


def test_several_platforms_are_chosen_by_the_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Several(monkeypatch, FULL)
    asyncio.run(images.push(cast(Client, fake), "x", chosen=(ARM, RISC), quiet=True))
    assert fake.pushed == [Push(FULL, FULL, (ARM, RISC))]


def test_a_platform_must_be_meant_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Several(monkeypatch, FULL)
    with pytest.raises(errors.NotFound, match="riscv64"):
        asyncio.run(images.push(cast(Client, fake), "x", chosen=(RISC,), quiet=True))
    assert fake.pushed == fake.made == []
