"""Types that several services share."""

from moorage_api.messages import types


def test_annotations_of_a_descriptor_are_field_five() -> None:
    descriptor = types.Descriptor(annotations={"a": "b"})
    assert descriptor.SerializeToString() == b"\x2a\x06\x0a\x01a\x12\x01b"


def test_a_mount_on_the_wire() -> None:
    mount = types.Mount(type="t", source="s", options=["ro", "x"])
    assert mount.SerializeToString() == b"\x0a\x01t\x12\x01s\x22\x02ro\x22\x01x"


def test_the_marks_for_filters_are_extensions() -> None:
    assert (types.fieldpath_all.number, types.fieldpath.number) == (63300, 64400)
