"""What a daemon that cannot, or an image that is not, makes of it. Archives are looked at in ``tests/e2e``."""

from pathlib import Path
from typing import Any

import pytest


def test_a_daemon_without_the_service(cli: Any, tmp_path: Path) -> None:
    result = cli("save", "-o", str(tmp_path / "x.tar"), "busybox")
    if "not offered" not in result.err:
        pytest.skip("this containerd can transfer")
    assert result.code == 1
    assert "saving need mooraged" in result.err
    assert list(tmp_path.glob("*.tar")) == []


def test_what_is_not_there(cli: Any, tmp_path: Path) -> None:
    result = cli("save", "-o", str(tmp_path / "x.tar"), "absent")
    assert result.code == 1
    assert 'image "absent": not found' in result.err
    assert list(tmp_path.glob("*.tar")) == []


def test_platforms_that_are_none(cli: Any) -> None:
    assert cli("save", "--platform", "a/b/c/d", "busybox").code == 1


def test_no_image_at_all(cli: Any) -> None:
    assert cli("save").code == 2
