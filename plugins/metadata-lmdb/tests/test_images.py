import time
from dataclasses import replace
from typing import Any

import pytest

from moorage_api.messages import images as messages
from moorage_sdk import digests, errors
from moorage_sdk.descriptors import OCI_MANIFEST, Descriptor
from moorage_sdk.images import Image
from moorage_sdk.leases import Resource

DIGEST = digests.of(b"manifest")
TARGET = Descriptor(OCI_MANIFEST, DIGEST, 8, {"note": "a"})


def image(name: str = "docker.io/library/busybox:1", **labels: str) -> Image:
    return Image(name, TARGET, labels)


def test_created_images_come_back_with_the_stores_time(rig: Any) -> None:
    images = rig.view().images
    before = time.time_ns()
    created = images.create(replace(image(a="b", gone=""), created_at=5))
    assert created.created_at == created.updated_at
    assert before <= created.created_at <= time.time_ns()
    assert images.get(created.name) == created
    assert created.labels == {"a": "b"}
    with pytest.raises(errors.AlreadyExists, match=f'^image "{created.name}": already exists$'):
        images.create(image())
    assert images.create(image("dated"), at=7).updated_at == 7


def test_names_have_no_limit_and_lists_are_in_byte_order(rig: Any) -> None:
    images = rig.view().images
    names = ["b", "a" * 5000 + "2", "a" * 5000 + "1", "a", "ü", "Z", "x\x00y"]
    for name in names:
        images.create(image(name))
    assert [each.name for each in images.list()] == sorted(names, key=str.encode)
    assert images.get(names[1]).name == names[1]
    rig.reopen()
    assert [each.name for each in rig.view().images.list()] == sorted(names, key=str.encode)


def test_namespaces_do_not_see_each_other(rig: Any) -> None:
    rig.view("a").images.create(image())
    with pytest.raises(errors.NotFound):
        rig.view("b").images.get(image().name)
    rig.view("b").images.create(image())
    rig.view("a").images.delete(image().name)
    assert len(rig.view("b").images.list()) == 1


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (image(""), "name must not be empty"),
        (replace(image(), target=replace(TARGET, digest="sha256:short")), "digest"),
        (replace(image(), target=replace(TARGET, size=0)), "target.Size must be greater than zero"),
        (replace(image(), target=replace(TARGET, media_type="")), "target.MediaType must be set"),
        (image(big="v" * 5000), "maximum size"),
    ],
)
def test_bad_images_are_refused(rig: Any, bad: Image, why: str) -> None:
    with pytest.raises(errors.InvalidArgument, match=why):
        rig.view().images.create(bad)
    assert rig.view().images.list() == []


def test_update_follows_the_mask(rig: Any) -> None:
    images = rig.view().images
    first = images.create(image(a="1", b="2"))
    other = Descriptor("application/other", digests.of(b"other"), 5, {"x": "y"})
    wanted = Image(first.name, other, {"a": "9", "c.d/e": "3"})
    second = images.update(wanted, ["labels.c.d/e", "labels.b"])
    assert second.labels == {"a": "1", "c.d/e": "3"}
    assert second.target == TARGET
    assert (second.created_at, second.updated_at > first.updated_at) == (first.created_at, True)
    assert images.update(wanted, ["annotations.x"]).target == replace(TARGET, annotations={"note": "a", "x": "y"})
    assert images.update(wanted, ["annotations"]).target.annotations == {"x": "y"}
    assert images.update(wanted, ["target"]).target == other
    assert images.update(wanted, ["labels"]).labels == wanted.labels
    whole = images.update(image(z="z"), at=9)
    assert (whole.labels, whole.target, whole.updated_at) == ({"z": "z"}, TARGET, 9)
    assert images.get(first.name) == whole
    with pytest.raises(errors.InvalidArgument, match='cannot update "size" field on image'):
        images.update(wanted, ["size"])
    with pytest.raises(errors.NotFound):
        images.update(image("none"))
    with pytest.raises(errors.InvalidArgument, match="required for update"):
        images.update(image(""))


def test_delete_may_insist_on_the_target(rig: Any) -> None:
    images = rig.view().images
    images.create(image())
    with pytest.raises(errors.NotFound, match=f"has target {DIGEST}, not sha256:"):
        images.delete(image().name, target=digests.of(b"other"))
    images.delete(image().name, target=DIGEST)
    with pytest.raises(errors.NotFound, match=f'^image "{image().name}": not found$'):
        images.delete(image().name)


def test_only_images_that_expire_are_leased(rig: Any) -> None:
    rig.view().leases.create("l")
    images = rig.view(lease="l").images
    images.create(image("stays"))
    images.create(Image("goes", TARGET, {"containerd.io/gc.expire": "2030-01-01T00:00:00Z"}))
    assert rig.view().leases.resources("l") == [Resource("goes", "images")]
    images.delete("goes")
    assert rig.view().leases.resources("l") == []


def test_events_are_the_images_services_own(rig: Any) -> None:
    images = rig.view().images
    images.create(image(a="b"))
    images.update(image(c="d"))
    images.delete(image().name)
    assert rig.exchange.topics == ["/images/create", "/images/update", "/images/delete"]
    event = rig.exchange.envelopes[1].event
    assert event.type_url == "containerd.services.images.v1.ImageUpdate"
    assert messages.ImageUpdate.FromString(event.value).labels == {"c": "d"}
