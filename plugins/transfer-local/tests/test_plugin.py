from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from moorage_sdk import config, errors
from moorage_sdk.durations import Duration
from moorage_sdk.transfers import TRANSFER
from moorage_testkit.fakes.contexts import Context
from moorage_testkit.fakes.differs import TarDiffer
from moorage_testkit.fakes.metadata import MemoryMetadata
from moorage_transfer_local.plugin import MANY, Config, UnpackConfig, configured_snapshotter, differs_for, plugin
from moorage_transfer_local.transfers import LocalTransfer


def test_it_is_containerds_plugin() -> None:
    assert (plugin.slot, plugin.uri) == (TRANSFER, "io.containerd.transfer.v1.local")


def test_it_is_made_of_metadata_and_differs(tmp_path: Path) -> None:
    plugins = {"metadata": {"lmdb": MemoryMetadata()}, "differ": {"walking": TarDiffer()}}
    assert isinstance(plugin.make(Context(tmp_path, plugins=plugins), Config()), LocalTransfer)


@pytest.mark.parametrize("limit", [0, -1])
def test_no_limit_is_a_limit_of_threads(tmp_path: Path, limit: int) -> None:
    plugins = {"metadata": {"lmdb": MemoryMetadata()}, "differ": {}}
    config = Config(max_concurrent_downloads=limit, max_concurrent_uploaded_layers=limit)
    made = plugin.make(Context(tmp_path, plugins=plugins), config)
    assert isinstance(made, LocalTransfer)
    assert made._options.downloads == made._options.uploads == MANY


def test_containerds_settings_are_understood() -> None:
    table = {
        "max_concurrent_downloads": 7,
        "max_concurrent_uploaded_layers": 5,
        "config_path": "/etc/containerd/certs.d",
        "unpack_config": [{"platform": "linux/amd64", "snapshotter": "native"}],
        "progress_timeout": "10s",
        "token_realms": {"a.io": ["b.io"]},
    }
    decoded = config.decode(Config, table)
    assert decoded.faults == decoded.unknown == ()
    assert decoded.value is not None
    assert decoded.value.unpack_config == (UnpackConfig("linux/amd64", "native"),)
    assert decoded.value.max_concurrent_uploaded_layers == 5
    assert decoded.value.progress_timeout == Duration(10)
    assert decoded.value.token_realms == {"a.io": ("b.io",)}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"progress_timeout": "0s"}, "progress_timeout must be positive"),
        ({"progress_timeout": "-1s"}, "progress_timeout must be positive"),
        ({"unpack_config": [{"platform": "linux/amd64/v1/x"}]}, 'platform "linux/amd64/v1/x": must be'),
    ],
)
def test_settings_that_no_pull_could_use_are_refused_at_the_start(table: dict[str, Any], message: str) -> None:
    [fault] = config.decode(Config, table).faults
    assert message in str(fault)


def test_the_first_entry_for_this_machine_names_the_snapshotter() -> None:
    assert configured_snapshotter(()) == ""
    assert configured_snapshotter((UnpackConfig("windows/amd64", "w"), UnpackConfig("", "native"))) == "native"


def test_differs_are_tried_walking_first() -> None:
    differs = {"erofs": TarDiffer(), "walking": TarDiffer(), "zz": TarDiffer()}
    assert differs_for("overlayfs", (), differs) == [differs["walking"], differs["erofs"], differs["zz"]]
    chosen = (UnpackConfig("", "erofs", "erofs"), UnpackConfig("", "native", "gone"))
    assert differs_for("erofs", chosen, differs) == [differs["erofs"]]
    with pytest.raises(errors.FailedPrecondition, match='differ "gone"'):
        differs_for("native", chosen, differs)


def test_what_only_a_pull_needs_is_not_loaded_with_the_plugin() -> None:
    code = "import sys, moorage_transfer_local.plugin; print({'urllib3', 'urllib.request'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
