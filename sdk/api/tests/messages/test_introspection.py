"""Plugins of the daemon on the wire."""

from moorage_api.messages import introspection, rpc_status


def test_a_failed_plugin_carries_a_status() -> None:
    plugin = introspection.Plugin(type="t", id="i", init_err=rpc_status.Status(code=2))
    assert plugin.SerializeToString() == b"\x0a\x01t\x12\x01i\x3a\x02\x08\x02"
