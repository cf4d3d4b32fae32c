from pathlib import Path

from moorage_content_local.plugin import plugin
from moorage_sdk.content import CONTENT
from moorage_testkit.fakes.contexts import Context


def test_registered_under_containerds_name() -> None:
    assert plugin.slot is CONTENT
    assert plugin.uri == "io.containerd.content.v1.content"


def test_make_exports_its_root(tmp_path: Path) -> None:
    context = Context(tmp_path)
    store = plugin.make(context, plugin.config())
    assert context.exports == {"root": str(context.root)}
    assert list(store.walk()) == []
