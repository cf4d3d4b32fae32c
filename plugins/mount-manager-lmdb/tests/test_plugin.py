from pathlib import Path
from typing import Any

import pytest

from moorage_mount_manager_lmdb.plugin import plugin
from moorage_sdk import errors
from moorage_sdk.activations import MOUNT_HANDLER, MOUNT_MANAGER
from moorage_sdk.metadata import METADATA
from moorage_sdk.mounts import Mount
from moorage_sdk.slots import NoConfig
from moorage_testkit.fakes.contexts import Context
from moorage_testkit.fakes.metadata import MemoryMetadata


def make(tmp_path: Path, house: Any) -> tuple[Context, MemoryMetadata]:
    metadata = MemoryMetadata()
    return Context(tmp_path, plugins={"metadata": {"lmdb": metadata}, "mount-handler": house.handlers}), metadata


def test_it_takes_part_in_collections_and_lives_in_the_state(tmp_path: Path, house: Any) -> None:
    context, metadata = make(tmp_path / "daemon", house)
    manager = plugin.make(context, NoConfig())
    done = manager.activate("default", "web", [Mount("file", "/x")])
    assert context.exports == {"root": f"{context.state}/t"}
    assert done.active[0].mount_point == f"{context.state}/t/1/0"
    assert [item.name for item in metadata.resources["mount"].all()] == ["web"]
    context.close()
    again, _ = make(tmp_path / "daemon", house)
    assert plugin.make(again, NoConfig()).list("default") == [done]
    again.close()


def test_directories_are_made_beneath_the_daemons_root_and_nowhere_else(tmp_path: Path, house: Any) -> None:
    context, _ = make(tmp_path / "daemon", house)
    manager = plugin.make(context, NoConfig())

    def wish(path: Path) -> list[Mount]:
        return [Mount("mkdir/bind", str(path), (f"X-containerd.mkdir.path={path}", "rbind"))]

    manager.activate("default", "inside", wish(context.root.parent / "new"))
    assert (context.root.parent / "new").is_dir()
    with pytest.raises(errors.Unimplemented, match="configured for mkdir"):
        manager.activate("default", "outside", wish(tmp_path / "new"))
    assert not (tmp_path / "new").exists()
    context.close()


def test_another_boot_ends_everything(tmp_path: Path, house: Any) -> None:
    context, _ = make(tmp_path / "daemon", house)
    plugin.make(context, NoConfig()).activate("default", "web", [Mount("file", "/x")])
    context.close()
    (context.state / "boot").write_text("another\n")
    again, _ = make(tmp_path / "daemon", house)
    assert plugin.make(again, NoConfig()).list("default") == []
    assert list((context.state / "t").iterdir()) == []
    again.close()


def test_names() -> None:
    assert plugin.slot is MOUNT_MANAGER
    assert plugin.uri == "io.containerd.mount-manager.v1.lmdb"
    assert set(plugin.requires) == {METADATA, MOUNT_HANDLER}
