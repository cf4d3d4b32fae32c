from typing import Any

from google.protobuf.empty_pb2 import Empty

from moorage_api.convert import timestamps
from moorage_api.messages import images, types
from moorage_client.clients import Client
from moorage_client.images import SERVICE
from moorage_sdk import errors
from moorage_sdk.descriptors import Descriptor
from moorage_sdk.images import Image

TARGET = Descriptor("m", "sha256:" + "a" * 64, 3, {"k": "v"})


def message(name: str) -> images.Image:
    target = types.Descriptor(media_type="m", digest=TARGET.digest, size=3, annotations={"k": "v"})
    return images.Image(name=name, target=target, labels={"l": "1"}, created_at=timestamps.to_message(5))


def test_all_methods(talk: Any) -> None:
    log: list[Any] = []

    async def get(request: Any, context: Any) -> Any:
        return images.GetImageResponse(image=message(request.name))

    async def list_(request: Any, context: Any) -> Any:
        log.append(list(request.filters))
        return images.ListImagesResponse(images=[message("a"), message("b")])

    async def create(request: Any, context: Any) -> Any:
        return images.CreateImageResponse(image=request.image)

    async def update(request: Any, context: Any) -> Any:
        log.append(list(request.update_mask.paths))
        return images.UpdateImageResponse(image=request.image)

    async def delete(request: Any, context: Any) -> Empty:
        log.append((request.name, request.sync))
        return Empty()

    async def work(client: Client) -> None:
        assert await client.images.get("x") == Image("x", TARGET, {"l": "1"}, created_at=5)
        assert [image.name for image in await client.images.list(["name==a"])] == ["a", "b"]
        assert await client.images.create(Image("n", TARGET, {"q": "r"})) == Image("n", TARGET, {"q": "r"})
        assert (await client.images.update(Image("n", TARGET), ["target"])).target == TARGET
        await client.images.delete("n", sync=True)

    handlers = {"Get": get, "List": list_, "Create": create, "Update": update, "Delete": delete}
    talk({SERVICE: handlers}, work)
    assert log == [["name==a"], ["target"], ("n", True)]


def test_a_name_is_moved_or_made_whatever_others_do_meanwhile(talk: Any) -> None:
    log: list[str] = []
    outcomes = iter([errors.AlreadyExists("there"), errors.NotFound("gone"), errors.AlreadyExists("there"), None])

    def outcome() -> None:
        if (error := next(outcomes)) is not None:
            raise error

    async def create(request: Any, context: Any) -> Any:
        log.append("create")
        outcome()

    async def update(request: Any, context: Any) -> Any:
        log.append(f"update {list(request.update_mask.paths)}")
        outcome()
        return images.UpdateImageResponse(image=request.image)

    async def work(client: Client) -> None:
        assert await client.images.put(Image("n", TARGET)) == Image("n", TARGET)

    talk({SERVICE: {"Create": create, "Update": update}}, work)
    assert log == ["create", "update ['target']", "create", "update ['target']"]
