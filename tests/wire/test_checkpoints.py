"""Tasks that are saved and restored, on both daemons: with criu where it works, and with a runtime that stands in.

The stand-in holds what lies between client and runtime on kernels that Debian's criu does not know; the same test with
the real one holds the stand-in.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as Packed

from moorage_api.convert import typeurls
from moorage_api.messages import containers, runc_options, task_types
from moorage_sdk import digests
from moorage_testkit import oci_runtimes

SPEC = "types.containerd.io/opencontainers/runtime-spec/1/Spec"
IMAGE = "application/vnd.containerd.container.criu.checkpoint.criu.tar"
CONFIG = "application/vnd.containerd.container.checkpoint.config.v1+proto"


@pytest.fixture(params=["stand-in", "criu"])
def binary(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """What the OCI runtime is called."""
    if request.param == "stand-in":
        return str(oci_runtimes.checkpointing(tmp_path))
    if not shutil.which("criu") or subprocess.run(["criu", "check"], capture_output=True, check=False).returncode:
        pytest.skip("needs a kernel and a criu that suit each other")
    return "runc"


class Saved:
    """A container that sleeps, and calls of the tasks service about it; everything under one lease."""

    def __init__(self, client: Any, spec: dict[str, Any], binary: str) -> None:
        self.client, self.id = client, f"saved-{uuid.uuid4().hex[:8]}"
        whole = {**spec, "process": {**spec["process"], "args": ["sh", "-c", "sleep 60"]}}
        whole["root"] = {**spec["root"], "readonly": False}  # criu has to make its mount points
        whole["linux"] = {**spec["linux"], "cgroupsPath": f"/moorage-wire-{self.id}"}
        self.spec = Packed(type_url=SPEC, value=json.dumps(whole).encode())
        self.options = typeurls.pack(runc_options.Options(binary_name=binary))

    async def __aenter__(self) -> Saved:
        runtime = containers.Container.Runtime(name="io.containerd.runc.v2", options=self.options)
        made = containers.Container(id=self.id, runtime=runtime, spec=self.spec)
        await self.client.ask("leases", "Create", {"id": self.id})
        await self.client.ask("containers", "Create", {"container": made})
        return self

    async def __aexit__(self, *ignored: object) -> None:
        if await self.verdict("Kill", signal=9, all=True) == "OK":
            await self.verdict("Wait")
        await self.verdict("Delete")
        await self.client.ask("containers", "Delete", {"id": self.id})
        await self.client.ask("leases", "Delete", {"id": self.id, "sync": True})

    async def ask(self, method: str, **fields: Any) -> Any:
        return await self.client.ask("tasks", method, {"container_id": self.id, **fields}, lease=self.id)

    async def verdict(self, method: str, **fields: Any) -> str:
        return str(await self.client.verdict("tasks", method, {"container_id": self.id, **fields}))

    async def status(self) -> tuple[int, bool]:
        """With whether it has a process."""
        process = (await self.ask("Get")).process
        return process.status, process.pid > 0

    async def checkpoint(self, **options: Any) -> Any:
        packed = typeurls.pack(runc_options.CheckpointOptions(**options))
        return list((await self.ask("Checkpoint", options=packed)).descriptors)


def test_into_the_store_and_out_of_it(both: Any, spec: dict[str, Any], binary: str) -> None:
    async def talk(client: Any) -> None:
        async with Saved(client, spec, binary) as saved:
            await saved.ask("Create")
            assert await saved.verdict("Checkpoint") != "OK"
            await saved.ask("Start")
            image, config = await saved.checkpoint()
            assert await saved.status() == (task_types.RUNNING, True)
            again, same = await saved.checkpoint(exit=True) if not both.containerd else (image, config)
            assert (image.media_type, config.media_type) == (again.media_type, same.media_type) == (IMAGE, CONFIG)
            assert config == same
            expected = Packed(type_url=SPEC, value=saved.spec.value).SerializeToString()
            assert (config.digest, config.size) == (digests.of(expected), len(expected))
            info = (await client.ask("content", "Info", {"digest": image.digest})).info
            assert info.size == image.size
            await saved.verdict("Kill", signal=9)
            assert (await saved.ask("Wait")).exit_status == 137
            await saved.ask("Delete")
            assert (await saved.ask("Create", checkpoint=image)).pid == 0
            assert await saved.status() == (task_types.CREATED, False)
            assert await saved.verdict("Kill", signal=9) == "NotFound"
            pid = (await saved.ask("Start")).pid
            assert await saved.status() == (task_types.RUNNING, True)
            assert [each.pid for each in (await saved.ask("ListPids")).processes][:1] == [pid]
            await saved.ask("Kill", signal=9)
            assert (await saved.ask("Wait")).exit_status == 137
            kept = both.daemon.root / "io.containerd.runtime.v2.task" / "wire" / saved.id / "checkpoint"
            assert both.containerd or kept.is_dir()
            await saved.ask("Delete")
            assert not kept.exists()

    both.run(talk)


def test_into_a_folder_of_the_clients(both: Any, spec: dict[str, Any], binary: str, tmp_path: Path) -> None:
    async def talk(client: Any) -> None:
        async with Saved(client, spec, binary) as saved:
            await saved.ask("Create")
            await saved.ask("Start")
            folder = tmp_path / "image"
            assert await saved.checkpoint(image_path=str(folder), exit=True) == []
            assert any(folder.iterdir())
            assert (await saved.ask("Wait")).exit_status == 137
            await saved.ask("Delete")
            options = typeurls.pack(runc_options.Options(binary_name=binary, criu_image_path=str(folder)))
            assert (await saved.ask("Create", options=options)).pid == 0
            assert (await saved.ask("Start")).pid > 0
            await saved.ask("Kill", signal=9)
            await saved.ask("Wait")
            await saved.ask("Delete")
            assert any(folder.iterdir())

    both.run(talk)


def test_what_cannot_be_restored_from(both: Any, spec: dict[str, Any], binary: str, tmp_path: Path) -> None:
    async def talk(client: Any) -> None:
        async with Saved(client, spec, binary) as saved:
            image = {"media_type": IMAGE, "digest": digests.of(b"none"), "size": 4}
            assert await saved.verdict("Create", checkpoint={**image, "media_type": "x"}) == "Error"
            # containerd does not translate what its store says.
            assert await saved.verdict("Create", checkpoint=image) == ("Error" if both.containerd else "NotFound")
            options = typeurls.pack(runc_options.Options(binary_name=binary, criu_image_path=str(tmp_path / "none")))
            assert (await saved.ask("Create", options=options)).pid == 0
            assert await saved.verdict("Start") == "Error"
            assert await saved.status() == (task_types.CREATED, False)
            assert await saved.verdict("Delete") == "OK"
            assert await saved.verdict("Get") == "NotFound"

    both.run(talk)
