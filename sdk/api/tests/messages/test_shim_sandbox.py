"""Messages of sandbox shims on the wire."""

from moorage_api.messages import shim_sandbox


def test_a_stop_on_the_wire() -> None:
    assert shim_sandbox.StopSandboxRequest(sandbox_id="s", timeout_secs=9).SerializeToString() == b"\x0a\x01s\x10\x09"
