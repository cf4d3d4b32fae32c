from dataclasses import replace
from typing import Any

import pytest

from moorage_api.messages import events as messages
from moorage_sdk import errors
from moorage_sdk.containers import Container, Runtime
from moorage_sdk.events import Payload

SPEC = Payload("types.containerd.io/opencontainers/runtime-spec/1/Spec", b'{"ociVersion":"1.1.0"}')
WEB = Container(
    "web",
    Runtime("io.containerd.runc.v2", Payload("containerd.runc.v1.Options", b"\x0a")),
    SPEC,
    image="busybox",
    snapshotter="memory",
    snapshot_key="web",
    labels={"a": "1", "gone": ""},
    extensions={"x": Payload("t", b"x"), "y.z": Payload("t", b"y")},
)


def test_created_containers_come_back(rig: Any) -> None:
    containers = rig.view().containers
    created = containers.create(WEB)
    assert created == replace(WEB, labels={"a": "1"}, created_at=created.created_at, updated_at=created.created_at)
    assert containers.get("web") == created
    assert containers.list() == [created]
    with pytest.raises(errors.AlreadyExists, match=r'^container "web": already exists$'):
        containers.create(WEB)
    with pytest.raises(errors.NotFound, match=r'^container "db" in namespace "default": not found$'):
        containers.get("db")


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (replace(WEB, id="no spaces"), "container.ID"),
        (replace(WEB, id=""), "container.ID must not be empty"),
        (replace(WEB, runtime=Runtime("")), "Runtime.Name must be set"),
        (replace(WEB, spec=None), "Spec must be set"),
        (replace(WEB, snapshotter=""), "Snapshotter must be set if"),
        (replace(WEB, extensions={"": SPEC}), "zero-length"),
        (replace(WEB, labels={"k": "v" * 5000}), "maximum size"),
    ],
)
def test_bad_containers_are_refused(rig: Any, bad: Container, why: str) -> None:
    with pytest.raises(errors.InvalidArgument, match=why):
        rig.view().containers.create(bad)


def test_update_follows_the_mask(rig: Any) -> None:
    containers = rig.view().containers
    first = containers.create(WEB)
    wanted = Container(
        "web", Runtime("other"), Payload("t", b"new"), "img", "other", "key", "", {"b": "2"}, {"y.z": SPEC}
    )
    second = containers.update(wanted, ["labels.b", "extensions.y.z", "extensions.x"])
    assert second.labels == {"a": "1", "b": "2"}
    assert second.extensions == {"y.z": SPEC}
    assert second.updated_at > first.updated_at
    third = containers.update(wanted, ["spec", "image", "snapshotkey", "labels", "extensions"])
    assert (third.spec, third.image, third.snapshot_key, third.labels) == (wanted.spec, "img", "key", {"b": "2"})
    assert (third.runtime, third.snapshotter, third.created_at) == (WEB.runtime, "memory", first.created_at)
    for path in ("snapshot_key", "runtime", "runtime.options", "snapshotter", "sandbox"):
        with pytest.raises(errors.InvalidArgument, match=f'cannot update "{path}" field on "web"'):
            containers.update(wanted, [path])


def test_without_a_mask_the_immutable_must_agree(rig: Any) -> None:
    containers = rig.view().containers
    containers.create(WEB)
    for bad, field in (
        (replace(WEB, snapshotter="x"), "Snapshotter"),
        (replace(WEB, runtime=Runtime("x")), "Runtime.Name"),
    ):
        with pytest.raises(errors.InvalidArgument, match=f"container.{field} field is immutable"):
            containers.update(bad)
    updated = containers.update(replace(WEB, labels={}, image="", extensions={}, sandbox="ignored"))
    assert (updated.labels, updated.image, updated.extensions, updated.sandbox) == ({}, "", {}, "")
    with pytest.raises(errors.InvalidArgument, match="Spec must be set"):
        containers.update(replace(WEB, spec=None))
    with pytest.raises(errors.InvalidArgument, match="must specify a container id"):
        containers.update(replace(WEB, id=""))


def test_delete_once(rig: Any) -> None:
    containers = rig.view().containers
    containers.create(WEB)
    containers.delete("web")
    for call in (containers.delete, containers.get):
        with pytest.raises(errors.NotFound, match='container "web" in namespace "default": not found'):
            call("web")
    with pytest.raises(errors.NotFound):
        containers.update(WEB)


def test_events(rig: Any) -> None:
    containers = rig.view("k8s.io").containers
    containers.create(WEB)
    containers.update(replace(WEB, labels={"n": "m"}), ["labels"])
    containers.delete("web")
    assert rig.exchange.topics == ["/containers/create", "/containers/update", "/containers/delete"]
    created, updated, _ = (each.event for each in rig.exchange.envelopes)
    create = messages.ContainerCreate.FromString(created.value)
    assert (create.id, create.image, create.runtime.name) == ("web", "busybox", "io.containerd.runc.v2")
    assert create.runtime.options.type_url == "containerd.runc.v1.Options"
    update = messages.ContainerUpdate.FromString(updated.value)
    assert (dict(update.labels), update.snapshot_key) == ({"n": "m"}, "web")
