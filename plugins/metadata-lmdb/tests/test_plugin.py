from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from moorage_metadata_lmdb.plugin import Config, plugin
from moorage_sdk import config, errors
from moorage_sdk.content import CONTENT
from moorage_sdk.durations import Duration
from moorage_sdk.events import EXCHANGE
from moorage_sdk.metadata import METADATA
from moorage_sdk.slots import Status
from moorage_sdk.snapshots import SNAPSHOTTER


def make(rig: Any, path: Path, settings: Config) -> tuple[Any, list[Callable[[], None]], dict[str, str]]:
    closers: list[Callable[[], None]] = []
    exports: dict[str, str] = {}
    path.mkdir(exist_ok=True)
    ctx: Any = SimpleNamespace(
        root=path,
        one=lambda slot: {CONTENT: rig.content, EXCHANGE: rig.exchange}[slot],
        all=lambda slot: {SNAPSHOTTER: rig.snapshotters}[slot],
        statuses=lambda: (Status("io.containerd.snapshotter.v1.zfs", "skip", "/dev/zfs: no such file"),),
        on_close=closers.append,
        export=exports.__setitem__,
    )
    return plugin.make(ctx, settings), closers, exports


@pytest.mark.parametrize("policy", ["shared", "isolated"])
def test_the_database_opens_closes_and_opens_again(rig: Any, tmp_path: Path, policy: Any) -> None:
    for round_ in range(2):
        database, closers, exports = make(rig, tmp_path / "own", Config(content_sharing_policy=policy))
        assert exports == {"policy": policy, "default-snapshotter": "memory"}
        if round_ == 0:
            database.view("ns").leases.create("l")
        assert [lease.id for lease in database.view("ns").leases.list()] == ["l"]
        assert (tmp_path / "own" / "backups").is_dir()
        for close in reversed(closers):
            close()


def test_the_reason_of_an_absent_snapshotter_is_told(rig: Any, tmp_path: Path) -> None:
    database, closers, _ = make(rig, tmp_path / "own", Config())
    with pytest.raises(errors.InvalidArgument, match="zfs \\(/dev/zfs: no such file\\)"):
        database.view("ns").snapshotter("zfs")
    with pytest.raises(errors.InvalidArgument, match=r"^snapshotter not loaded: aufs: invalid argument"):
        database.view("ns").snapshotter("aufs")
    for close in reversed(closers):
        close()


def test_backups_can_be_turned_off(rig: Any, tmp_path: Path) -> None:
    _, closers, _ = make(rig, tmp_path / "own", Config(backup_interval=Duration(0)))
    assert not (tmp_path / "own" / "backups").exists()
    closers[0]()


def test_keys_and_defaults_are_containerds() -> None:
    assert plugin.slot is METADATA
    assert plugin.uri == "io.containerd.metadata.v1.lmdb"
    assert config.defaults(Config) == {
        "content_sharing_policy": "shared",
        "no_sync": False,
        "default_snapshotter": "",
        "backup_interval": "10m0s",
    }
    assert "expected one of" in str(config.decode(Config, {"content_sharing_policy": "x"}).faults[0])
