from moorage_api.convert import images
from moorage_api.messages import images as messages
from moorage_sdk.descriptors import OCI_MANIFEST, Descriptor
from moorage_sdk.images import Image


def test_there_and_back_over_the_wire() -> None:
    target = Descriptor(OCI_MANIFEST, "sha256:" + "a" * 64, 7, {"k": "v"})
    image = Image("docker.io/library/busybox:latest", target, {"a": "b"}, 1_700_000_000_000_000_001, 5)
    sent = images.to_message(image).SerializeToString()
    assert images.from_message(messages.Image.FromString(sent)) == image
