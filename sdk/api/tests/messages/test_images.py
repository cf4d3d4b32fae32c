"""Image records and their events."""

from moorage_api.messages import images, types


def test_a_record_on_the_wire() -> None:
    image = images.Image(name="n", labels={"a": "b"}, target=types.Descriptor(size=1))
    assert image.SerializeToString() == b"\x0a\x01n\x12\x06\x0a\x01a\x12\x01b\x1a\x02\x18\x01"


def test_the_target_of_a_deletion_knows_absent_from_empty() -> None:
    assert not images.DeleteImageRequest(name="n").HasField("target")
    assert images.DeleteImageRequest(name="n", target=types.Descriptor()).HasField("target")


def test_the_events_are_here_too() -> None:
    assert images.ImageCreate.DESCRIPTOR.full_name == "containerd.services.images.v1.ImageCreate"
