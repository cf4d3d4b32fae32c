"""What images are called; the table of annotated names is containerd's (core/transfer/image/imagestore_test.go)."""

from __future__ import annotations

import datetime

import pytest

from moorage_sdk import errors
from moorage_sdk.descriptors import OCI_MANIFEST, Descriptor
from moorage_sdk.images import Image, Images
from moorage_sdk.transfers import ExtraName, Store
from moorage_testkit.fakes.metadata import MemoryMetadata
from moorage_transfer_local import names

DIGEST = "sha256:" + "a" * 64
TARGET = Descriptor(OCI_MANIFEST, DIGEST, 7)
OTHER = Descriptor(OCI_MANIFEST, "sha256:" + "b" * 64, 7)
IMAGE = "registry.test/image"


def prefix(name: str, *, overwrite: bool = False, digest: bool = False, skip: bool = False) -> ExtraName:
    return ExtraName(name, True, overwrite, digest, skip)


@pytest.fixture
def images() -> Images:
    return MemoryMetadata().view("ns").images


@pytest.mark.parametrize(
    ("extra", "ref_name", "image_name", "expected"),
    [
        (prefix(IMAGE), f"{IMAGE}:latest", "", [f"{IMAGE}:latest"]),
        (prefix(IMAGE), "", f"{IMAGE}:latest", [f"{IMAGE}:latest"]),
        (prefix("x", overwrite=True), f"{IMAGE}:latest", "", [f"{IMAGE}:latest"]),
        (prefix("x", overwrite=True), "", f"{IMAGE}:latest", [f"{IMAGE}:latest"]),
        (prefix(IMAGE), "latest", "", [f"{IMAGE}:latest"]),
        (prefix(IMAGE), "", "latest", []),  # a full name that is none is not completed
        (prefix(IMAGE, digest=True), "", "", [f"{IMAGE}@{DIGEST}"]),
        (prefix(IMAGE, digest=True), "latest", "", [f"{IMAGE}:latest", f"{IMAGE}@{DIGEST}"]),
        (prefix(IMAGE, digest=True, skip=True), "latest", "", [f"{IMAGE}:latest"]),
        (prefix(IMAGE, digest=True, skip=True), "", "", [f"{IMAGE}@{DIGEST}"]),
        (prefix("x", overwrite=True, digest=True), f"{IMAGE}:1", "", [f"{IMAGE}:1", f"x@{DIGEST}"]),
        (prefix("x", overwrite=True, digest=True, skip=True), "", f"{IMAGE}:1", [f"{IMAGE}:1"]),
        (prefix(IMAGE), "registry.test/base:latest", "", []),
        (prefix(IMAGE), "", "registry.test/base:latest", []),
        (prefix(IMAGE), f"{IMAGE}s:latest", "", []),
        (prefix(IMAGE), f"{IMAGE}/deeper:1", "", [f"{IMAGE}/deeper:1"]),
        (prefix(""), "latest", "", []),
        (ExtraName(IMAGE), f"{IMAGE}:latest", "", []),  # no prefix, so no annotation counts
    ],
)
def test_names_that_an_archive_gives(extra: ExtraName, ref_name: str, image_name: str, expected: list[str]) -> None:
    said = {names.REF_NAME: ref_name, names.IMAGE_NAME: image_name}
    target = Descriptor(OCI_MANIFEST, DIGEST, 7, {key: value for key, value in said.items() if value})
    given = names.annotated(Store(labels={"l": "m"}, extra_names=(extra,)), target)
    assert [(image.name, image.target, image.labels) for image in given] == [
        (name, target, {"l": "m"}) for name in expected
    ]


def test_names_that_a_client_gives() -> None:
    extra = (ExtraName("also"), prefix("p"), prefix("q", digest=True, skip=True))
    given = names.given(Store("first", {"l": "m"}, extra), TARGET)
    assert [image.name for image in given] == ["first", "also", f"q@{DIGEST}"]
    assert given[0].labels == {"l": "m"}
    for image in given[1:]:
        assert image.labels["containerd.io/gc.bref.image"] == "first"
        assert image.labels["l"] == "m"
        datetime.datetime.strptime(image.labels["containerd.io/gc.expire"], "%Y-%m-%dT%H:%M:%SZ")


def test_names_without_a_first_one_are_on_their_own() -> None:
    assert names.given(Store(extra_names=(ExtraName("x"),)), TARGET) == [Image("x", TARGET, {})]
    assert names.given(Store(extra_names=(prefix("x"),)), TARGET) == []


def test_a_name_is_given_also_if_it_was_another_images(images: Images) -> None:
    images.create(Image("b", OTHER, {"of": "b"}))
    stored = names.put(images, [Image("a", TARGET), Image("b", TARGET, {"l": "m"})])
    assert [image.name for image in stored] == ["a", "b"]
    assert (images.get("b").target, images.get("b").labels) == (TARGET, {"l": "m"})


def test_an_image_that_goes_meanwhile_is_created(images: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    images.create(Image("a", OTHER))
    update = images.update

    def gone(image: Image, *rest: object) -> Image:
        monkeypatch.setattr(images, "update", update)
        images.delete("a")
        return update(image)

    monkeypatch.setattr(images, "update", gone)
    names.put(images, [Image("a", TARGET)])
    assert images.get("a").target == TARGET


def test_no_name_is_not_found(images: Images) -> None:
    with pytest.raises(errors.NotFound, match="no image name found: not found"):
        names.put(images, [])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("registry.test/image:latest", "latest"),
        ("localhost:5000/a/b:1.2", "1.2"),
        ("docker.io/library/a:1@" + DIGEST, "1@" + DIGEST),
        ("docker.io/library/a@" + DIGEST, "docker.io/library/a@" + DIGEST),
        ("docker.io/library/a", "docker.io/library/a"),
        ("busybox:1", "busybox:1"),
        ("[::1]:5000/a:1", "1"),
        ("host:port/a:1", "host:port/a:1"),
        ("http://a/b:1", "http://a/b:1"),
        ("", ""),
    ],
)
def test_the_tag_of_a_name(name: str, expected: str) -> None:
    assert names.reference_name(name) == expected
    assert names.as_annotations(name) == {names.IMAGE_NAME: name, names.REF_NAME: expected}


def test_docker_tags_become_full_names() -> None:
    assert names.normalize("busybox") == "docker.io/library/busybox:latest"
    assert names.normalize("a.io/b:1@" + DIGEST) == "a.io/b@" + DIGEST
    with pytest.raises(errors.InvalidArgument):
        names.normalize("UPPER:1")
