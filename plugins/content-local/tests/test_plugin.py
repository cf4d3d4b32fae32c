from moorage_content_local.plugin import plugin
from moorage_sdk.content import CONTENT


def test_registered_under_containerds_name() -> None:
    assert plugin.slot is CONTENT
    assert plugin.uri == "io.containerd.content.v1.content"
