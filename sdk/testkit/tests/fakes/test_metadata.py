"""Metadata in memory."""

import pytest

from moorage_sdk import errors
from moorage_sdk.containers import Container, Runtime
from moorage_sdk.descriptors import Descriptor
from moorage_sdk.events import Payload
from moorage_sdk.images import Image
from moorage_sdk.leases import Resource
from moorage_sdk.namespaces import Namespace
from moorage_sdk.sandboxes import Sandbox
from moorage_testkit.fakes.metadata import MemoryMetadata

TARGET = Descriptor("mt", "sha256:1", 1)


def test_views_of_a_namespace_share_and_those_of_two_do_not() -> None:
    metadata = MemoryMetadata()
    metadata.view("a").images.create(Image("i", TARGET))
    assert metadata.view("a").images.get("i").target == TARGET
    with pytest.raises(errors.NotFound):
        metadata.view("b").images.get("i")
    with pytest.raises(errors.FailedPrecondition):
        metadata.view("")
    with pytest.raises(errors.InvalidArgument):
        metadata.view("a").snapshotter("none")
    metadata.collect()
    assert metadata.collections == 1


def test_images() -> None:
    images = MemoryMetadata().view("a").images
    with pytest.raises(errors.InvalidArgument):
        images.create(Image("", TARGET))
    created = images.create(Image("i", TARGET, {"k": "v"}), at=5)
    assert created.created_at == 5
    with pytest.raises(errors.AlreadyExists):
        images.create(Image("i", TARGET))
    other = Descriptor("mt", "sha256:2", 1)
    assert images.update(Image("i", other, {"k": "w"}), ("labels.k",)).target == TARGET
    assert images.update(Image("i", other), ()).target == other
    with pytest.raises(errors.NotFound):
        images.delete("i", target="sha256:1")
    images.delete("i", target="sha256:2")
    assert images.list() == []


def test_containers() -> None:
    containers = MemoryMetadata().view("a").containers
    with pytest.raises(errors.InvalidArgument):
        containers.create(Container("c", Runtime("")))
    containers.create(Container("c", Runtime("r"), Payload("s", b""), image="i"))
    assert containers.update(Container("c", Runtime("r"), image="j"), ("image",)).spec == Payload("s", b"")
    assert containers.get("c").image == "j"
    with pytest.raises(errors.InvalidArgument):
        containers.update(Container("c", Runtime("r")), ("snapshot_key",))
    containers.delete("c")
    with pytest.raises(errors.NotFound):
        containers.delete("c")


def test_leases() -> None:
    leases = MemoryMetadata().view("a").leases
    assert leases.create().id
    leases.create("l")
    leases.add_resource("l", Resource("r", "ingests"))
    leases.add_resource("l", Resource("r", "ingests"))
    assert leases.resources("l") == [Resource("r", "ingests")]
    leases.delete_resource("l", Resource("r", "ingests"))
    assert leases.resources("l") == []
    with pytest.raises(errors.Unimplemented):
        leases.add_resource("l", Resource("r", "snapshotter/x"))
    leases.delete("l")
    with pytest.raises(errors.NotFound):
        leases.resources("l")


def test_namespaces() -> None:
    namespaces = MemoryMetadata().namespaces
    assert namespaces.get("x") == Namespace("x")
    namespaces.create(Namespace("x", {"k": "v", "e": ""}))
    assert namespaces.list() == [Namespace("x", {"k": "v"})]
    assert namespaces.update(Namespace("y", {"a": "b"})).labels == {"a": "b"}
    namespaces.delete("x")
    with pytest.raises(errors.NotFound):
        namespaces.delete("x")


def test_sandboxes() -> None:
    sandboxes = MemoryMetadata().view("a").sandboxes
    with pytest.raises(errors.InvalidArgument):
        sandboxes.create(Sandbox("", Runtime("r")))
    created = sandboxes.create(Sandbox("s", Runtime("r"), sandboxer="shim", labels={"a": "1"}))
    assert sandboxes.list() == [created]
    with pytest.raises(errors.AlreadyExists):
        sandboxes.create(created)
    updated = sandboxes.update(Sandbox("s", Runtime("q"), labels={"b": "2"}), ("labels.b", "runtime"))
    assert (updated.labels, updated.runtime, updated.sandboxer) == ({"a": "1", "b": "2"}, Runtime("q"), "shim")
    with pytest.raises(errors.InvalidArgument):
        sandboxes.update(created, ("sandboxer",))
    sandboxes.delete("s")
    with pytest.raises(errors.NotFound):
        sandboxes.get("s")


def test_extensions_are_replaced_one_by_one_or_all_together() -> None:
    view, old, new = MemoryMetadata().view("a"), Payload("o", b""), Payload("n", b"")
    view.containers.create(Container("c", Runtime("r"), old, extensions={"x": old, "y": old}))
    view.sandboxes.create(Sandbox("s", Runtime("r"), extensions={"x": old, "y": old}))
    one, two = Container("c", Runtime("r"), extensions={"x": new}), Sandbox("s", Runtime("r"), extensions={"x": new})
    for paths, expected in ((("extensions.x",), {"x": new, "y": old}), (("extensions",), {"x": new})):
        assert view.containers.update(one, paths).extensions == expected
        assert view.sandboxes.update(two, paths).extensions == expected
