from pathlib import Path

import pytest

from moorage_cli import sessions


def test_the_first_socket_that_exists(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first, second = str(tmp_path / "a"), str(tmp_path / "b")
    monkeypatch.setattr(sessions, "ADDRESSES", (first, second))
    assert sessions.address("given") == "given"
    assert sessions.address("") == first
    Path(second).touch()
    assert sessions.address("") == second
    Path(first).touch()
    assert sessions.address("") == first
