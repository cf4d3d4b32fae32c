import json
from typing import Any


def test_both_sides(cli: Any, daemon: Any) -> None:
    out = cli("version").out
    assert "client   moorage" in out
    assert daemon.address in out
    assert set(json.loads(cli("version", "--format", "json").out)) == {"client", "daemon", "revision", "address"}
