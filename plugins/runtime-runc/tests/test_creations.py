from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from moorage_api.convert import typeurls
from moorage_api.messages import runc_options
from moorage_sdk import errors
from moorage_sys import mountinfo


def test_the_runtimes_words_reach_the_client_and_nothing_is_left(scenario: Any) -> None:
    async def body(node: Any) -> None:
        bundle = node.bundle("/no/such/program")
        with pytest.raises(errors.Error, match=r"^OCI runtime create failed: .*no such file or directory"):
            await node.create(bundle)
        with pytest.raises(errors.NotFound):
            await node.status()
        assert {each.name for each in bundle.iterdir()} == {"config.json", "rootfs"}
        with pytest.raises(errors.Error, match=r'create failed: .*"program": executable file not found in \$PATH'):
            await node.create(node.bundle("program", name="d"), "d")
        with pytest.raises(errors.Error, match=r'create failed: "no-such-runtime": No such file .*installed'):
            options = typeurls.pack(runc_options.Options(binary_name="no-such-runtime"))
            await node.create(node.bundle(name="e"), "e", options=options)
        await node.run(node.bundle("true", name="f"), "f")
        assert "c" not in [event.container_id for event in node.events]

    scenario(body)


def test_rootfs_is_mounted_and_unmounted(scenario: Any) -> None:
    async def body(node: Any) -> None:
        bundle = node.bundle("sh", "-c", "echo here > /found")
        source = bundle.parent / "source"
        (bundle / "rootfs").rename(source)
        mount = {"type": "bind", "source": str(source), "options": ["rbind", "rw"]}
        await node.create(bundle, rootfs=[mount])
        assert _is_mounted(bundle / "rootfs")
        await node.call("Start")
        await node.call("Wait")
        await node.call("Delete")
        assert not _is_mounted(bundle / "rootfs")
        assert (source / "found").read_text() == "here\n"
        event = await node.until_event("TaskCreate")
        assert event.rootfs[0].source == str(source)
        with pytest.raises(errors.Error, match="failed to mount rootfs component"):
            await node.create(bundle, rootfs=[{"type": "bind", "source": "/no/such", "options": ["rbind"]}])
        assert not _is_mounted(bundle / "rootfs")
        missing = node.bundle("/nothing", name="d")
        (missing / "rootfs").rename(missing.parent / "source2")
        with pytest.raises(errors.Error, match="OCI runtime create failed"):
            await node.create(missing, "d", rootfs=[{**mount, "source": str(missing.parent / "source2")}])
        assert not _is_mounted(missing / "rootfs")

    scenario(body)


def _is_mounted(path: Path) -> bool:
    return bool(mountinfo.beneath(str(path)))


def test_what_the_runtime_makes_in_a_root_file_system_can_be_entered(scenario: Any) -> None:
    async def body(node: Any) -> None:
        bundle = node.bundle("true")
        (bundle / "rootfs" / "proc").rmdir()
        await node.run(bundle)
        assert stat.S_IMODE((bundle / "rootfs" / "proc").stat().st_mode) == 0o755

    scenario(body)


def test_the_working_directory_of_init_is_checked(scenario: Any) -> None:
    async def body(node: Any) -> None:
        with pytest.raises(errors.InvalidArgument, match="among file descriptors"):
            await node.create(node.bundle(cwd="/proc/self/fd/7"))
        with pytest.raises(errors.NotFound):
            await node.status()

    scenario(body)
