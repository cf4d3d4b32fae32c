from pathlib import Path

from moorage_snapshotter_native.plugin import Config, plugin
from moorage_testkit.fakes.contexts import Context


def test_make_tells_its_root(tmp_path: Path) -> None:
    context = Context(tmp_path)
    plugin.make(context, Config()).prepare("key")
    assert context.exports == {"root": str(context.root)}
    assert (context.root / "snapshots/1").is_dir()
    context.close()


def test_root_can_be_elsewhere(tmp_path: Path) -> None:
    context = Context(tmp_path)
    plugin.make(context, Config(root_path=str(tmp_path / "elsewhere")))
    assert context.exports == {"root": str(tmp_path / "elsewhere")}
    context.close()


def test_uri_is_containerds() -> None:
    assert plugin.uri == "io.containerd.snapshotter.v1.native"
