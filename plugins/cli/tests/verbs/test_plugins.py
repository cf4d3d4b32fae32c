import json
from typing import Any


def test_list(cli: Any) -> None:
    out = cli("plugins").out
    assert any(line.split() == ["io.containerd.snapshotter.v1", "overlayfs", "ok"] for line in out.splitlines())
    assert "root=" in cli("plugins", "-d").out
    found = [json.loads(line) for line in cli("plugins", "--format", "json").out.splitlines()]
    assert {"ok"} <= {each["status"] for each in found}
