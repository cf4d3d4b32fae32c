import os
from pathlib import Path

import pytest

from moorage_sdk.slots import Skip
from moorage_snapshotter_overlayfs import features
from moorage_snapshotter_overlayfs.plugin import Config, plugin
from moorage_testkit.fakes.contexts import Context


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_make_announces_what_it_can(tmp_path: Path) -> None:
    context = Context(tmp_path)
    snapshotter = plugin.make(context, Config(mount_options=("volatile",)))
    assert context.exports == {"root": str(context.root)}
    assert context.capabilities == ["remap-ids", "only-remap-ids", "rebase"]
    snapshotter.prepare("a")
    snapshotter.commit("A", "a")
    assert "volatile" in snapshotter.prepare("b", "A")[0].options
    context.close()


def test_slow_chown_allows_more_than_mapping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "obstacle", lambda root: "")
    context = Context(tmp_path)
    plugin.make(context, Config(slow_chown=True))
    assert "only-remap-ids" not in context.capabilities
    context.close()


def test_host_without_overlay_skips_it_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "obstacle", lambda root: "overlay: no such device")
    with pytest.raises(Skip, match="no such device"):
        plugin.make(Context(tmp_path), Config())


def test_uri_is_containerds() -> None:
    assert plugin.uri == "io.containerd.snapshotter.v1.overlayfs"
