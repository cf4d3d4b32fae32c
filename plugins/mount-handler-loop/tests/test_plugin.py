from pathlib import Path

import pytest

from moorage_mount_handler_loop import plugin as registration
from moorage_mount_handler_loop.handlers import LoopHandler
from moorage_sdk.activations import MOUNT_HANDLER
from moorage_sdk.slots import NoConfig, Skip
from moorage_testkit.fakes.contexts import Context


def test_its_id_is_the_type_that_it_mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registration, "CONTROL", tmp_path)
    assert isinstance(registration.plugin.make(Context(tmp_path), NoConfig()), LoopHandler)
    assert registration.plugin.slot is MOUNT_HANDLER
    assert registration.plugin.uri == "io.containerd.mount-handler.v1.loop"


def test_a_host_without_loop_devices_needs_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registration, "CONTROL", tmp_path / "absent")
    with pytest.raises(Skip, match="absent"):
        registration.plugin.make(Context(tmp_path), NoConfig())
