import logging
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from moorage_runtime_kata import presets
from moorage_runtime_kata.plugin import Config, Runtime, handler, plugin
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


PAGE = Path(__file__).parents[3] / "docs/howto/kata.md"


def snippets() -> list[dict[str, Any]]:
    return [tomllib.loads(text) for text in re.findall(r"```toml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)]


def test_the_page_for_operators_is_right() -> None:
    ours, theirs = snippets()
    decoded = config.decode(Config, ours["plugins"][plugin.uri])
    assert not decoded.faults and not decoded.unknown
    assert set(decoded.value.runtimes) == {KATA, "io.containerd.kata-clh.v2"}
    assert all(each.runtime_path.endswith("/containerd-shim-kata-v2") for each in decoded.value.runtimes.values())
    (runtime,) = theirs["plugins"]["io.containerd.cri.v1.runtime"]["containerd"]["runtimes"].values()
    assert runtime["runtime_type"] == KATA
    named = set(re.findall(r"--runtime (\S+)", PAGE.read_text("utf-8")))
    assert named == set(decoded.value.runtimes)


def test_the_page_warns_of_what_the_plugin_warns_of() -> None:
    ours, _ = snippets()
    told = config.decode(Config, ours["plugins"][plugin.uri]).value
    assert presets.warnings({name: handler(each) for name, each in told.runtimes.items()}) == []
