"""Names in the image store."""

import pytest

from moorage_api.messages import transfer_types
from moorage_sdk import errors
from moorage_sdk.descriptors import OCI_MANIFEST, Descriptor
from moorage_sdk.images import Image
from moorage_services.tags import extra_images, put, tag
from moorage_testkit.fakes.metadata import MemoryMetadata

TARGET = Descriptor(OCI_MANIFEST, "sha256:" + "a" * 64, 7)
OTHER = Descriptor(OCI_MANIFEST, "sha256:" + "b" * 64, 7)


@pytest.fixture
def metadata() -> MemoryMetadata:
    return MemoryMetadata()


def test_a_name_is_given_also_if_it_was_another_images(metadata: MemoryMetadata) -> None:
    images = metadata.view("ns").images
    images.create(Image("a", TARGET, {"of": "a"}))
    images.create(Image("b", OTHER, {"of": "b"}))
    extra = [transfer_types.ImageReference(name="c", add_digest=True)]
    tag(images, transfer_types.ImageStore(name="a"), transfer_types.ImageStore(name="b", extra_references=extra))
    assert (images.get("b").target, images.get("b").labels) == (TARGET, {})
    assert images.get(f"c@{TARGET.digest}").target == TARGET
    assert images.get("a").labels == {"of": "a"}


def test_both_names_are_needed(metadata: MemoryMetadata) -> None:
    images = metadata.view("ns").images
    with pytest.raises(errors.NotFound):
        tag(images, transfer_types.ImageStore(name="none"), transfer_types.ImageStore(name="b"))
    images.create(Image("a", TARGET))
    with pytest.raises(errors.NotFound, match="no image name"):
        tag(images, transfer_types.ImageStore(name="a"), transfer_types.ImageStore())
    assert [image.name for image in images.list()] == ["a"]


def test_names_without_a_first_one_are_on_their_own() -> None:
    store = transfer_types.ImageStore(extra_references=[transfer_types.ImageReference(name="x")])
    [image] = extra_images(store, Image("y", TARGET))
    assert image == Image("x", TARGET, {})


def test_an_image_that_is_there_is_replaced(metadata: MemoryMetadata) -> None:
    images = metadata.view("ns").images
    put(images, Image("x", TARGET, {"a": "1"}))
    put(images, Image("x", TARGET, {"b": "2"}))
    assert images.get("x").labels == {"b": "2"}
