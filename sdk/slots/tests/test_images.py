from dataclasses import replace

from moorage_sdk.descriptors import Descriptor
from moorage_sdk.images import Image, Images


def test_an_image_is_a_name_for_a_descriptor() -> None:
    image = Image("docker.io/library/busybox:latest", Descriptor("m", "sha256:0", 1))
    assert replace(image, name="x").target is image.target
    assert (image.labels, image.created_at, image.updated_at) == ({}, 0, 0)


def test_a_store_must_do_everything() -> None:
    assert Images.__abstractmethods__ == {"get", "list", "create", "update", "delete"}
