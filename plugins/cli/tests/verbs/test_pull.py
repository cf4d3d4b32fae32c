from typing import Any

import pytest


def test_a_daemon_without_the_service(cli: Any) -> None:
    result = cli("pull", "nothing")
    if "not offered" not in result.err:
        pytest.skip("this containerd can transfer")
    assert result.code == 1
    assert "hint: pulling, pushing and saving need mooraged, or containerd 1.7 or later" in result.err


@pytest.mark.parametrize("name", ["UPPER", "a b", ""])
def test_what_is_no_reference(cli: Any, name: str) -> None:
    result = cli("pull", name)
    assert result.code == 1
    assert "invalid" in result.err


def test_platforms_that_are_none(cli: Any) -> None:
    assert cli("pull", "--platform", "a/b/c/d", "x").code == 1
