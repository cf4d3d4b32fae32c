"""Leases on the wire."""

from moorage_api.messages import leases


def test_labels_of_a_creation_are_field_three() -> None:
    assert leases.CreateRequest(id="l", labels={"a": "b"}).SerializeToString() == (
        b"\x0a\x01l\x1a\x06\x0a\x01a\x12\x01b"
    )


def test_a_resource_on_the_wire() -> None:
    resource = leases.Resource(id="k", type="snapshots/overlayfs")
    assert resource.SerializeToString() == b"\x0a\x01k\x12\x13snapshots/overlayfs"
