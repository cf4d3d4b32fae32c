import pytest

from moorage_sdk import errors
from moorage_specs import capabilities


def test_drop_all_and_add_one() -> None:
    assert capabilities.adjusted(capabilities.DEFAULT, ["net_admin"], ["ALL"]) == ("CAP_NET_ADMIN",)


def test_names_with_and_without_prefix_in_any_case() -> None:
    names = capabilities.adjusted(["CAP_KILL", "CAP_CHOWN"], ["CAP_KILL", "sys_time"], ["Chown"])
    assert names == ("CAP_KILL", "CAP_SYS_TIME")


def test_all_is_what_this_process_has() -> None:
    assert capabilities.adjusted([], ["ALL"], []) == capabilities.current()


def test_unknown() -> None:
    with pytest.raises(errors.InvalidArgument, match='"CAP_FLY": unknown'):
        capabilities.adjusted([], ["CAP_FLY"], [])


def test_defaults_are_the_fourteen_of_containerd() -> None:
    assert len(set(capabilities.DEFAULT)) == 14
    assert "CAP_SYS_ADMIN" not in capabilities.DEFAULT
