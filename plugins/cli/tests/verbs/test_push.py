from typing import Any

import pytest


def test_a_daemon_without_the_service(cli: Any) -> None:
    result = cli("push", "busybox", "127.0.0.1:1/x")
    if "not offered" not in result.err:
        pytest.skip("this containerd can transfer")
    assert result.code == 1
    assert "hint: pulling, pushing and saving need mooraged, or containerd 1.7 or later" in result.err


def test_what_is_not_there(cli: Any) -> None:
    result = cli("push", "absent")
    assert result.code == 1
    assert 'image "absent": not found' in result.err


@pytest.mark.parametrize("goal", ["UPPER", "a b"])
def test_what_is_no_reference(cli: Any, goal: str) -> None:
    result = cli("push", "busybox", goal)
    assert result.code == 1
    assert "invalid" in result.err


def test_platforms_that_are_none(cli: Any) -> None:
    assert cli("push", "--platform", "a/b/c/d", "busybox").code == 1
