from dataclasses import FrozenInstanceError, replace

import pytest

from moorage_sdk import errors
from moorage_sdk.containers import Container, Containers, Runtime, parse_spec
from moorage_sdk.events import Payload


def test_a_record_is_a_value() -> None:
    container = Container("web", Runtime("io.containerd.runc.v2"), Payload("types.containerd.io/x", b"{}"))
    assert replace(container) == container
    with pytest.raises(FrozenInstanceError):
        container.id = "other"  # type: ignore[misc]


def test_records_do_not_share_what_they_leave_out() -> None:
    one, other = Container("a", Runtime("r")), Container("b", Runtime("r"))
    assert one.labels is not other.labels and one.extensions is not other.extensions


def test_a_store_must_do_everything() -> None:
    assert Containers.__abstractmethods__ == {"get", "list", "create", "update", "delete"}


@pytest.mark.parametrize("spec", [b"", b"{", b"[]", b"null", b'"text"', b"\xff", b"[" * 100_000])
def test_a_spec_that_is_none_is_refused_by_the_name_of_its_container(spec: bytes) -> None:
    with pytest.raises(errors.InvalidArgument, match=r'spec of container "web": .*: invalid argument'):
        parse_spec("web", spec)


def test_a_spec() -> None:
    assert parse_spec("web", b'{"root": {"path": "rootfs"}}') == {"root": {"path": "rootfs"}}
