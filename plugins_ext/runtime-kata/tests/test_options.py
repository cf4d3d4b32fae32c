import pytest

from moorage_api.messages import runtime_options
from moorage_runtime_kata import options
from moorage_runtime_kata.options import TYPE
from moorage_sdk import errors
from moorage_sdk.events import Payload

RUNC = Payload("containerd.runc.v1.Options", b"")


def told(**fields: object) -> Payload:
    return Payload(TYPE, runtime_options.Options(**fields).SerializeToString())


@pytest.mark.parametrize("given", [None, RUNC, told(), Payload(f"type.googleapis.com/{TYPE}", b"")])
def test_the_file_of_the_runtime_name(given: Payload | None) -> None:
    assert options.completed(given, "/etc/kata/qemu.toml") == told(config_path="/etc/kata/qemu.toml")


def test_what_else_was_told_stays() -> None:
    made = options.completed(told(type_url="t"), "/etc/kata/qemu.toml")
    assert made == told(type_url="t", config_path="/etc/kata/qemu.toml")


@pytest.mark.parametrize("given", [told(config_path="/own"), told(config_body=b"[hypervisor]")])
def test_the_clients_own_comes_first(given: Payload) -> None:
    assert options.completed(given, "/etc/kata/qemu.toml") is given


def test_without_a_file_nothing_is_said() -> None:
    assert options.completed(None, "") is None
    assert options.completed(RUNC, "") is None
    assert options.completed(told(), "") == told()


def test_broken_ones_are_told_of() -> None:
    with pytest.raises(errors.InvalidArgument, match="runtime options"):
        options.completed(Payload(TYPE, b"\xff\xff"), "")


def test_the_type_is_the_messages() -> None:
    assert runtime_options.Options.DESCRIPTOR.full_name == TYPE
