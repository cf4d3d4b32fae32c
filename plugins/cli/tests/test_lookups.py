import asyncio
from typing import Any, cast

import pytest

from moorage_cli import lookups
from moorage_client.clients import Client
from moorage_sdk import errors
from moorage_sdk.containers import Container, Runtime
from moorage_sdk.descriptors import Descriptor
from moorage_sdk.images import Image
from moorage_sdk.tasks import Process, Status


class Records:
    def __init__(self, *containers: Container) -> None:
        self.known = {container.id: container for container in containers}

    async def get(self, id: str) -> Container:
        if not id:
            raise errors.InvalidArgument("empty")
        if id not in self.known:
            raise errors.NotFound(f'container "{id}": not found')
        return self.known[id]

    async def list(self) -> list[Container]:
        return list(self.known.values())


class Fake:
    def __init__(self) -> None:
        named = Container("9999", Runtime("r"), labels={lookups.NERDCTL_NAME: "web"})
        self.containers = Records(Container("abc", Runtime("r")), Container("abd", Runtime("r")), named)
        self.images, self.tasks = self, self
        self.processes: dict[str, Process] = {}

    async def get(self, name: str) -> Any:
        if name == "docker.io/library/x:latest":
            return Image(name, Descriptor("m", "d", 1))
        if name in self.processes:
            return self.processes[name]
        raise errors.NotFound(f'"{name}": not found')

    def find(self, wanted: str) -> str:
        return asyncio.run(lookups.container(cast(Client, self), wanted)).id


def test_names_ids_and_beginnings() -> None:
    fake = Fake()
    assert [fake.find(each) for each in ("abc", "web", "99")] == ["abc", "9999", "9999"]


def test_what_is_ambiguous_or_not_there() -> None:
    with pytest.raises(errors.InvalidArgument, match="ambiguous") as caught:
        Fake().find("ab")
    assert "abc, abd" in caught.value.hint
    for wanted in ("x", ""):
        with pytest.raises(errors.NotFound):
            Fake().find(wanted)


def test_running() -> None:
    fake = Fake()
    with pytest.raises(errors.FailedPrecondition, match="not running"):
        asyncio.run(lookups.running(cast(Client, fake), "abc"))
    fake.processes["abc"] = Process("abc", "", 1, Status.STOPPED)
    with pytest.raises(errors.FailedPrecondition):
        asyncio.run(lookups.running(cast(Client, fake), "abc"))
    fake.processes["abc"] = Process("abc", "", 1, Status.PAUSED)
    assert asyncio.run(lookups.running(cast(Client, fake), "abc"))[1].pid == 1


def test_images_by_what_people_type() -> None:
    fake = cast(Client, Fake())
    for name in ("x", "x:latest", "docker.io/library/x:latest"):
        assert asyncio.run(lookups.image(fake, name)).name == "docker.io/library/x:latest"
    with pytest.raises(errors.NotFound) as caught:
        asyncio.run(lookups.image(fake, "y"))
    assert caught.value.hint == "moorage pull y fetches it"


def test_an_image_is_found_by_whatever_name_it_is_stored_under() -> None:
    """Other clients store names that are no references."""
    fake = Fake()
    stored = Image("Not A Reference", Descriptor("m", "d", 1))
    fake.processes[stored.name] = stored  # type: ignore[assignment]  # the fake has one table for all
    assert asyncio.run(lookups.image(cast(Client, fake), stored.name)) is stored
    assert asyncio.run(lookups.image(cast(Client, fake), "x")).name == "docker.io/library/x:latest"
    with pytest.raises(errors.InvalidArgument, match="Another One"):
        asyncio.run(lookups.image(cast(Client, fake), "Another One"))
