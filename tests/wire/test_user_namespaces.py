"""Containers in user namespaces of their own: root inside is nobody outside, in files old and new, on both daemons."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as Packed

from moorage_api.convert import mounts as conversions
from moorage_api.messages import containers
from moorage_sys import kernels, mounts
from moorage_testkit import daemons

SPEC = "types.containerd.io/opencontainers/runtime-spec/1/Spec"
UID, GID = 100_000, 200_000
MAPPED = {
    "containerd.io/snapshot/uidmapping": f"0:{UID}:65536",
    "containerd.io/snapshot/gidmapping": f"0:{GID}:65536",
}
SCRIPT = """
stat -c '%u:%g %n' / /old > /seen
touch /new; mv /seen /ready; sleep 60
"""


class House:
    """A container in a user namespace, on snapshots of its own; everything under one lease."""

    def __init__(self, client: Any, spec: dict[str, Any]) -> None:
        self.client, self.id = client, f"userns-{uuid.uuid4().hex[:8]}"
        self._spec = spec

    async def __aenter__(self) -> House:
        await self.client.ask("leases", "Create", {"id": self.id})
        return self

    async def __aexit__(self, *ignored: object) -> None:
        for method, fields in (("Kill", {"signal": 9, "all": True}), ("Wait", {}), ("Delete", {})):
            await self.client.verdict("tasks", method, {"container_id": self.id, **fields})
        await self.client.verdict("containers", "Delete", {"id": self.id})
        await self.client.ask("leases", "Delete", {"id": self.id, "sync": True})

    async def snapshot(self, method: str, **fields: Any) -> Any:
        request = {"snapshotter": "overlayfs", **fields}
        return await self.client.ask("snapshots", method, request, lease=self.id)

    async def layer(self, folder: Path, owner: tuple[int, int]) -> str:
        """A committed snapshot of a root file system with a file ``old``, all of it ``owner``'s."""
        prepared = (await self.snapshot("Prepare", key=f"{self.id}-base")).mounts
        mounts.mount_all(conversions.from_messages(prepared), folder)
        try:
            shutil.copytree(self._spec["root"]["path"], folder, symlinks=True, dirs_exist_ok=True)
            for name in ("proc", "sys", "dev"):
                (folder / name).mkdir(exist_ok=True)
            (folder / "old").touch()
            folder.chmod(0o755)
            for path in (folder, *folder.rglob("*")):
                os.lchown(path, *owner)
        finally:
            mounts.unmount_all(folder)
        await self.snapshot("Commit", key=f"{self.id}-base", name=f"{self.id}-layer")
        return f"{self.id}-layer"

    async def create(self, rootfs: Any) -> None:
        runtime = containers.Container.Runtime(name="io.containerd.runc.v2")
        spec = Packed(type_url=SPEC, value=json.dumps(self._remapped()).encode())
        made = containers.Container(id=self.id, runtime=runtime, spec=spec)
        await self.client.ask("containers", "Create", {"container": made})
        await self.client.ask("tasks", "Create", {"container_id": self.id, "rootfs": rootfs}, lease=self.id)

    def _remapped(self) -> Mapping[str, Any]:
        linux = self._spec["linux"]
        return {
            **self._spec,
            "process": {**self._spec["process"], "args": ["sh", "-c", SCRIPT]},
            "root": {"path": "rootfs", "readonly": False},
            "linux": {
                **linux,
                "cgroupsPath": f"/moorage-wire-{self.id}",
                "namespaces": [*linux["namespaces"], {"type": "user"}],
                "uidMappings": [{"containerID": 0, "hostID": UID, "size": 65536}],
                "gidMappings": [{"containerID": 0, "hostID": GID, "size": 65536}],
            },
        }


def owner(path: Path) -> tuple[int, int]:
    status = path.lstat()
    return status.st_uid, status.st_gid


@pytest.mark.parametrize("maps", ["the mount", "the layer"])
def test_files_are_roots_inside_and_the_users_outside(
    both: Any, peer: tuple[int, ...], spec: dict[str, Any], tmp_path: Path, maps: str
) -> None:
    """By a mount that maps ids, of a layer that is root's; or plainly, of one whose files were given away before."""
    by_mount = maps == "the mount"
    if by_mount and kernels.version() < (5, 19):
        pytest.skip("overlay takes id-mapped lower directories since Linux 5.19")
    if by_mount and both.containerd and peer < (2,):
        pytest.skip("containerd maps no ids in mounts before version 2")

    async def talk(client: Any) -> None:
        async with House(client, spec) as house:
            layer = await house.layer(tmp_path, (0, 0) if by_mount else (UID, GID))
            labels = MAPPED if by_mount else {}
            rootfs = (await house.snapshot("Prepare", key=house.id, parent=layer, labels=labels)).mounts
            told = [option for option in rootfs[0].options if option.startswith(("uidmap=", "gidmap="))]
            assert told == ([f"uidmap=0:{UID}:65536", f"gidmap=0:{GID}:65536"] if by_mount else [])
            await house.create(rootfs)
            await client.ask("tasks", "Start", {"container_id": house.id})
            bundle = both.daemon.state / "io.containerd.runtime.v2.task" / "wire" / house.id
            outside = bundle / "rootfs"
            daemons.wait_until((outside / "ready").exists)
            assert (outside / "ready").read_text() == "0:0 /\n0:0 /old\n"
            assert {owner(outside / name) for name in (".", "old", "new")} == {(UID, GID)}
            # Who is root inside, and nobody else, can get to the root file system (bundle_linux.go in containerd).
            assert (bundle.stat().st_mode & 0o777, owner(bundle)) == (0o710, (0, GID))
            assert outside.parent.parent.stat().st_mode & 0o777 == 0o711

    both.run(talk)
