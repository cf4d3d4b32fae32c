import logging
from pathlib import Path

import pytest

from moorage_runtime_kata.plugin import Config, Runtime, plugin
from moorage_sdk import config
from moorage_sdk.presets import RUNTIME_PRESET
from moorage_testkit.fakes.contexts import Context

KATA = "io.containerd.kata.v2"


def test_names() -> None:
    assert plugin.slot is RUNTIME_PRESET
    assert plugin.uri == "io.containerd.runtime-preset.v1.kata"


def test_the_default_lets_nothing_pass(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert config.defaults(Config) == {"runtimes": {KATA: {"runtime_path": "", "config_path": "", "annotations": []}}}
    with caplog.at_level(logging.WARNING):
        assert plugin.make(Context(tmp_path), Config()).names == (KATA,)
    assert caplog.text == ""


def test_further_names_come_beside_the_default(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    told = {"runtimes": {"io.containerd.kata-qemu.v2": {"annotations": ["io.katacontainers.*"]}}}
    decoded = config.decode(Config, told)
    assert not decoded.faults
    assert decoded.value.runtimes[KATA] == Runtime()
    with caplog.at_level(logging.WARNING):
        assert set(plugin.make(Context(tmp_path), decoded.value).names) == {KATA, "io.containerd.kata-qemu.v2"}
    assert "choose what runs on this host" in caplog.text


def test_what_makes_no_sense_is_refused() -> None:
    (fault,) = config.decode(Config, {"runtimes": {KATA: {"config_path": "kata.toml"}}}).faults
    assert f'runtimes."{KATA}".config_path "kata.toml": must be an absolute path' in str(fault)
