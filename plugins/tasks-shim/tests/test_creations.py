"""How tasks come to be, and what is left when they do not."""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from moorage_api.messages import runc_options
from moorage_sdk import errors
from moorage_sdk.descriptors import Descriptor
from moorage_sdk.events import Payload
from moorage_sdk.mounts import Mount
from moorage_sdk.tasks import Creation, Stdio
from moorage_tasks_shim import records, registries
from moorage_testkit.fakes.activations import MemoryMountManager

SPEC = b'{"ociVersion": "1.0.2", "hostname": "web"}'
RUNTIME = "io.containerd.runc.v2"


def creation(**changes: Any) -> Creation:
    return Creation(**{"id": "web", "runtime": RUNTIME, "spec": SPEC, **changes})


def test_the_shim_gets_the_whole_request(house: Callable[..., Any]) -> None:
    async def run() -> None:
        here = house()
        async with here.shim as shim:
            stdio = Stdio("/in", "/out", "/err", True)
            options = runc_options.Options(binary_name="crun", criu_image_path="/image")
            payload = Payload("containerd.runc.v1.Options", options.SerializeToString())
            rootfs = (Mount("overlay", "overlay", ("lowerdir=/a:/b", "ro")),)
            pid = await here.creator.create("ns", creation(stdio=stdio, options=payload, rootfs=rootfs))
            process = shim.tasks["ns", "web", ""]
            request = process.request
            assert pid == process.pid
            assert (request.stdin, request.stdout, request.stderr, request.terminal) == ("/in", "/out", "/err", True)
            assert (request.options.type_url, request.options.value) == (payload.type_url, payload.value)
            assert request.checkpoint == "/image"
            assert list(request.rootfs[0].options) == ["lowerdir=/a:/b", "ro"]
            bundle = here.bundles.bundle("ns", "web")
            assert request.bundle == bundle.path
            assert records.load(bundle) == records.Record(RUNTIME, stdio)
            here.registry.close()

    asyncio.run(run())


def test_a_shim_that_never_answers_does_not_keep_the_id(
    house: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registries, "GRACE", 0.2)

    async def run() -> None:
        here = house()
        async with here.shim as shim:
            shim.hang.add("Create")
            asking = asyncio.create_task(here.manager.create("ns", creation()))
            async with asyncio.timeout(10):
                while not shim.calls["Create"]:
                    await asyncio.sleep(0.01)
                asking.cancel()
                while here.registry.taken("ns", "web") or list(here.bundles.all()):
                    await asyncio.sleep(0.01)
            assert [each.id for each in here.runtime.cleaned] == ["web"]
            shim.hang.clear()
            assert await here.manager.create("ns", creation())
            here.registry.close()

    asyncio.run(run())


def test_a_plugins_task_has_what_tools_look_for_in_its_bundle(
    house: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log that is read, and where its shim is, as every task of containerd has."""
    own = tmp_path / "containerd-shim-runc-v2"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "mooraged")])

    async def run() -> None:
        here = house()
        async with here.shim:
            await here.creator.create("ns", creation())
            bundle = Path(here.bundles.bundle("ns", "web").path)
            assert (bundle / "shim-binary-path").read_text() == str(own)
            os.close(os.open(bundle / "log", os.O_WRONLY | os.O_NONBLOCK))  # somebody reads
            here.registry.close()

    asyncio.run(run())


def test_a_task_exists_once_also_while_it_is_being_made(house: Callable[..., Any]) -> None:
    async def run() -> None:
        here = house()
        async with here.shim:
            made = await asyncio.gather(
                *(here.creator.create("ns", creation()) for _ in range(5)), return_exceptions=True
            )
            assert sorted(type(each).__name__ for each in made) == ["AlreadyExists"] * 4 + ["int"]
            with pytest.raises(errors.AlreadyExists):
                await here.creator.create("ns", creation())
            await here.creator.create("other", creation())
            here.registry.close()

    asyncio.run(run())


def test_a_shim_that_refuses_leaves_nothing_and_is_quoted(house: Callable[..., Any]) -> None:
    async def run() -> None:
        here = house()
        async with here.shim as shim:
            shim.fail["Create"] = errors.Error(
                'OCI runtime create failed: exec: "x": executable file not found in $PATH'
            )
            with pytest.raises(
                errors.Error, match=r"^failed to create shim task: OCI .* not found in \$PATH$"
            ) as raised:
                await here.creator.create("ns", creation())
            assert type(raised.value) is errors.Error
            assert list(here.bundles.all()) == []
            assert [each.id for each in here.runtime.cleaned] == ["web"]
            del shim.fail["Create"]
            await here.creator.create("ns", creation())
            here.registry.close()

    asyncio.run(run())


def test_a_record_that_cannot_be_written_leaves_nothing(
    house: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(bundle: Any, record: Any) -> None:
        raise OSError(28, "no space left on device")

    async def run() -> None:
        here = house()
        async with here.shim as shim:
            monkeypatch.setattr(records, "save", refuse)
            with pytest.raises(errors.ResourceExhausted, match='task "web" in namespace "ns": no space'):
                await here.creator.create("ns", creation())
            assert list(here.bundles.all()) == []
            assert shim.calls["Create"] == 0
            here.registry.close()

    asyncio.run(run())


def test_a_shim_that_is_not_there_leaves_nothing(house: Callable[..., Any]) -> None:
    async def run() -> None:
        here = house()
        with pytest.raises(errors.Unavailable):
            await here.creator.create("ns", creation())
        assert list(here.bundles.all()) == []
        here.registry.close()

    asyncio.run(run())


@pytest.mark.parametrize("runtime", ["", "bin/x", "io.containerd.nothere.v9"])
def test_a_runtime_that_is_none_is_refused_before_anything_is_made(house: Callable[..., Any], runtime: str) -> None:
    async def run() -> None:
        here = house()
        with pytest.raises((errors.InvalidArgument, errors.NotFound)):
            await here.creator.create("ns", creation(runtime=runtime))
        assert list(here.bundles.state.iterdir()) == []

    asyncio.run(run())


def test_a_caller_that_goes_away_leaves_nothing(house: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        here = house()
        async with here.shim as shim:
            made, go, create = asyncio.Event(), asyncio.Event(), shim._create

            async def slowly(*arguments: Any) -> Any:
                said = await create(*arguments)
                made.set()
                await go.wait()
                return said

            monkeypatch.setattr(shim, "_create", slowly)
            making = asyncio.create_task(here.creator.create("ns", creation()))
            await made.wait()
            making.cancel()
            with pytest.raises(asyncio.CancelledError):
                await making
            go.set()
            async with asyncio.timeout(10):
                while shim.tasks or list(here.bundles.all()):
                    await asyncio.sleep(0.01)
            await here.creator.create("ns", creation())
            here.registry.close()

    asyncio.run(run())


def test_plugins_may_adjust_the_specification(house: Callable[..., Any]) -> None:
    def adjust(namespace: str, id: str, spec: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**spec, "annotations": {"by": f"{namespace}/{id}"}}

    async def run() -> None:
        here = house(adjust=adjust)
        async with here.shim:
            await here.creator.create("ns", creation())
            written = json.loads(Path(here.bundles.bundle("ns", "web").path, "config.json").read_bytes())
            assert written["annotations"] == {"by": "ns/web"}
            here.registry.close()

    asyncio.run(run())


def test_a_specification_nobody_changed_stays_as_it_was_to_the_byte(house: Callable[..., Any]) -> None:
    async def run() -> None:
        here = house(adjust=lambda namespace, id, spec: spec)
        async with here.shim:
            await here.creator.create("ns", creation(spec=b'{ "a":1 }'))
            assert Path(here.bundles.bundle("ns", "web").path, "config.json").read_bytes() == b'{ "a":1 }'
            with pytest.raises(errors.InvalidArgument):
                await here.creator.create("ns", creation(id="bad", spec=b"{"))
            here.registry.close()

    asyncio.run(run())


def test_checkpoints_are_restored_from_a_path(house: Callable[..., Any], tmp_path: Path) -> None:
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    (unpacked / "core-1.img").write_text("state")

    async def run() -> None:
        here = house()
        async with here.shim as shim:
            with pytest.raises(errors.Unimplemented):
                await here.creator.create("ns", creation(checkpoint=Descriptor("x", "sha256:" + "0" * 64, 1)))
            path = {"RestoreFromPath": "/image"}
            await here.creator.create("ns", creation(checkpoint=Descriptor("x", "sha256:" + "0" * 64, 1, path)))
            assert shim.tasks["ns", "web", ""].request.checkpoint == "/image"
            image = Descriptor("x", "sha256:" + "0" * 64, 1)
            await here.creator.create("ns", creation(id="own", checkpoint=image, unpacked=str(unpacked)))
            kept = Path(shim.tasks["ns", "own", ""].request.checkpoint)
            assert (kept / "core-1.img").read_text() == "state" and not unpacked.exists()
            assert kept.parent == Path(here.bundles.bundle("ns", "own").path, "work").readlink()
            await here.registry.remove(here.registry.get("ns", "own"))
            assert not kept.exists()
            here.registry.close()

    asyncio.run(run())


LOOP = (Mount("loop", "/disk"), Mount("format/ext4", "{{ mount 0 }}"))


def test_mounts_that_a_shim_cannot_do_are_activated_before_it_sees_them(house: Callable[..., Any]) -> None:
    async def run() -> None:
        manager = MemoryMountManager()
        here = house(manager=manager)
        async with here.shim as shim:
            await here.creator.create("ns", creation(rootfs=LOOP))
            rootfs = shim.tasks["ns", "web", ""].request.rootfs
            assert [(each.type, each.source) for each in rootfs] == [("ext4", "/memory/web")]
            await here.manager.delete("ns", "web")
            assert manager.activations == {}
            here.registry.close()

    asyncio.run(run())


def test_a_task_that_could_not_be_created_leaves_no_activation(house: Callable[..., Any]) -> None:
    async def run() -> None:
        manager = MemoryMountManager()
        here = house(manager=manager)
        async with here.shim as shim:
            shim.fail["Create"] = errors.Error("no")
            with pytest.raises(errors.Error, match="failed to create shim task: no"):
                await here.creator.create("ns", creation(rootfs=LOOP))
            assert manager.activations == {}
            manager.activate("ns", "web", LOOP)
            with pytest.raises(errors.Error, match="failed to create shim task: no"):
                await here.creator.create("ns", creation(rootfs=LOOP))
            assert list(manager.activations) == [("ns", "web")], "the client's own is not undone"
            here.registry.close()

    asyncio.run(run())


def test_an_activation_that_fails_leaves_no_task(house: Callable[..., Any]) -> None:
    async def run() -> None:
        here = house(manager=MemoryMountManager(failing=errors.ResourceExhausted("no free loop device")))
        async with here.shim as shim:
            with pytest.raises(errors.ResourceExhausted, match=r"^no free loop device$"):
                await here.creator.create("ns", creation(rootfs=LOOP))
            assert list(here.bundles.all()) == []
            assert shim.calls["Create"] == 0
            here.registry.close()

    asyncio.run(run())
