from __future__ import annotations

from pathlib import Path
from typing import Any

from moorage_runtime_runc.hosts import Host


def test_output_is_handed_out_unless_told_otherwise() -> None:
    nothing: Any = None
    assert not Host(nothing, nothing, Path("/x")).relay
