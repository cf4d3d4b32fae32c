"""Descriptors as values and messages."""

from moorage_api.convert import descriptors
from moorage_api.messages import types
from moorage_sdk.descriptors import OCI_LAYER, Descriptor

VALUE = Descriptor(OCI_LAYER, "sha256:" + "0" * 64, 7, {"a": "b"})
MESSAGE = types.Descriptor(media_type=OCI_LAYER, digest="sha256:" + "0" * 64, size=7, annotations={"a": "b"})


def test_both_ways() -> None:
    assert descriptors.to_message(VALUE) == MESSAGE
    assert descriptors.from_message(MESSAGE) == VALUE


def test_the_value_does_not_hang_on_the_message() -> None:
    message = types.Descriptor(annotations={"a": "b"})
    value = descriptors.from_message(message)
    message.annotations["a"] = "changed"
    assert value.annotations == {"a": "b"}
    assert type(value.annotations) is dict
