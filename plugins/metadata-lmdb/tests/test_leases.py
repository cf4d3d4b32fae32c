import re
from typing import Any

import pytest

from moorage_sdk import digests, errors
from moorage_sdk.leases import Resource

DIGEST = digests.of(b"x")


def test_leases_are_made_listed_and_deleted(rig: Any) -> None:
    leases = rig.view().leases
    made = leases.create("b", {"k": "v", "gone": ""})
    assert made.labels == {"k": "v"}
    chosen = leases.create()
    assert re.fullmatch(r"\d{1,9}-[A-Za-z0-9_-]{4}", chosen.id)
    assert {each.id for each in leases.list()} == {"b", chosen.id}
    with pytest.raises(errors.AlreadyExists, match=r'^lease "b": already exists$'):
        leases.create("b")
    leases.delete("b")
    with pytest.raises(errors.NotFound, match=r'^lease "b": not found$'):
        leases.delete("b")
    with pytest.raises(errors.InvalidArgument):
        leases.create("c", {"": "v"})
    assert leases.create("d", {"k": "v" * 5000}).labels == {"k": "v" * 5000}  # containerd limits the labels of others


def test_resources_come_in_containerds_order(rig: Any) -> None:
    leases = rig.view().leases
    leases.create("l")
    leases.create("l2")
    wanted = [
        Resource(DIGEST, "content"),
        Resource("docker.io/x", "images"),
        Resource("ref/1", "ingests"),
        Resource("key", "snapshots/native"),
        Resource("a/b", "snapshots/overlayfs"),
    ]
    for resource in (*reversed(wanted), wanted[0]):
        leases.add_resource("l", resource)
    assert leases.resources("l") == wanted
    assert leases.resources("l2") == []
    for _ in range(2):
        leases.delete_resource("l", wanted[0])
    assert leases.resources("l") == wanted[1:]
    leases.delete("l")
    leases.create("l")
    assert leases.resources("l") == []


@pytest.mark.parametrize(
    ("resource", "error", "why"),
    [
        (Resource("x", "content"), errors.InvalidArgument, "digest"),
        (Resource(DIGEST, "content/x"), errors.InvalidArgument, "invalid resource type content/x"),
        (Resource("x", "snapshots"), errors.InvalidArgument, "invalid snapshot resource type"),
        (Resource("x", "snapshots/a/b"), errors.InvalidArgument, "invalid snapshot resource type"),
        (Resource("x", "snapshotter/overlayfs"), errors.Unimplemented, "not supported yet: not implemented"),
        (Resource("x", "streams"), errors.Unimplemented, "resource type streams not supported yet"),
    ],
)
def test_bad_resources_are_refused(rig: Any, resource: Resource, error: type[errors.Error], why: str) -> None:
    leases = rig.view().leases
    leases.create("l")
    for call in (leases.add_resource, leases.delete_resource):
        with pytest.raises(error, match=why):
            call("l", resource)


def test_a_lease_must_exist_to_hold(rig: Any) -> None:
    leases = rig.view().leases
    for call in (leases.add_resource, leases.delete_resource):
        with pytest.raises(errors.NotFound, match=r'^lease "none": not found$'):
            call("none", Resource(DIGEST, "content"))
    with pytest.raises(errors.NotFound):
        leases.resources("none")


def test_what_is_created_with_a_lease_that_is_not_there_is_refused(rig: Any) -> None:
    view = rig.view(lease="none")
    for call in (
        lambda: view.content.writer("ref"),
        lambda: view.snapshotter("memory").prepare("k"),
        lambda: view.snapshotter("memory").view("k"),
    ):
        with pytest.raises(errors.NotFound, match=r"^lease does not exist: not found$"):
            call()
    assert rig.layers.infos == {}
    assert rig.content.ingests == {}
    assert view.content.statuses() == []
