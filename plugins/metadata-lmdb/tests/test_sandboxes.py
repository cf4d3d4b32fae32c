from dataclasses import replace
from typing import Any

import pytest

from moorage_sdk import errors
from moorage_sdk.containers import Runtime
from moorage_sdk.events import Payload
from moorage_sdk.namespaces import Namespace
from moorage_sdk.sandboxes import Sandbox

SPEC = Payload("types.containerd.io/opencontainers/runtime-spec/1/Spec", b'{"ociVersion":"1.1.0"}')
POD = Sandbox(
    "pod",
    Runtime("io.containerd.kata.v2", Payload("runtimeoptions.v1.Options", b"\x0a")),
    SPEC,
    "shim",
    labels={"a": "1", "gone": ""},
    extensions={"x": Payload("t", b"x"), "y.z": Payload("t", b"y")},
)


def test_created_sandboxes_come_back(rig: Any) -> None:
    sandboxes = rig.view().sandboxes
    created = sandboxes.create(replace(POD, created_at=1, updated_at=2))
    assert created == replace(POD, labels={"a": "1"}, created_at=created.created_at, updated_at=created.created_at)
    assert created.created_at > 2
    assert sandboxes.get("pod") == created
    assert sandboxes.list() == [created]
    with pytest.raises(errors.AlreadyExists, match=r'^sandbox "pod": already exists$'):
        sandboxes.create(POD)
    with pytest.raises(errors.NotFound, match=r'^sandbox "db" in namespace "default": not found$'):
        sandboxes.get("db")


def test_they_survive_the_daemon(rig: Any) -> None:
    created = rig.view().sandboxes.create(POD)
    rig.reopen()
    assert rig.view().sandboxes.get("pod") == created


def test_a_name_is_all_it_takes(rig: Any) -> None:
    """As in containerd, which checks nothing else, not even how long a label is."""
    sandboxes = rig.view().sandboxes
    bare = sandboxes.create(Sandbox("bare", Runtime(""), labels={"k": "v" * 5000}))
    assert (bare.runtime, bare.spec, bare.sandboxer) == (Runtime(""), None, "")
    for bad in ("", "no spaces", "a" * 77):
        with pytest.raises(errors.InvalidArgument, match="sandbox ID"):
            sandboxes.create(replace(POD, id=bad))
    with pytest.raises(errors.InvalidArgument, match="zero-length"):
        sandboxes.create(replace(POD, extensions={"": SPEC}))


def test_namespaces_are_apart_and_entered(rig: Any) -> None:
    rig.view("a").sandboxes.create(POD)
    rig.view("b").sandboxes.create(POD)
    rig.view("a").sandboxes.delete("pod")
    assert rig.view("a").sandboxes.list() == []
    assert [each.id for each in rig.view("b").sandboxes.list()] == ["pod"]
    assert Namespace("b") in rig.database.namespaces.list()


def test_update_follows_the_mask(rig: Any) -> None:
    sandboxes = rig.view().sandboxes
    first = sandboxes.create(POD)
    wanted = Sandbox("pod", Runtime("other"), Payload("t", b"new"), "other", {"b": "2"}, {"y.z": SPEC})
    second = sandboxes.update(wanted, ["labels.b", "extensions.y.z", "extensions.x"])
    assert second.labels == {"a": "1", "b": "2"}
    assert second.extensions == {"y.z": SPEC}
    assert (second.runtime, second.spec) == (POD.runtime, SPEC)
    assert second.updated_at > first.updated_at
    third = sandboxes.update(wanted, ["spec", "runtime", "labels", "extensions"])
    assert (third.spec, third.runtime, third.labels) == (wanted.spec, Runtime("other"), {"b": "2"})
    assert (third.sandboxer, third.created_at) == ("shim", first.created_at)
    assert sandboxes.get("pod") == third
    for path in ("sandboxer", "id", "runtime.name", "created_at"):
        with pytest.raises(errors.InvalidArgument, match=f'cannot update "{path}" field on sandbox "pod"'):
            sandboxes.update(wanted, [path])


def test_without_a_mask_the_runtimes_name_must_agree(rig: Any) -> None:
    sandboxes = rig.view().sandboxes
    sandboxes.create(POD)
    with pytest.raises(errors.InvalidArgument, match=r"sandbox\.Runtime\.Name field is immutable"):
        sandboxes.update(replace(POD, runtime=Runtime("x")))
    told = replace(POD.runtime, options=Payload("o", b"2"))
    updated = sandboxes.update(replace(POD, runtime=told, labels={}, extensions={}, spec=None, sandboxer="ignored"))
    assert (updated.runtime, updated.labels, updated.extensions, updated.spec) == (told, {}, {}, None)
    assert updated.sandboxer == "shim"


def test_delete_once(rig: Any) -> None:
    sandboxes = rig.view().sandboxes
    sandboxes.create(POD)
    sandboxes.delete("pod")
    for call in (sandboxes.delete, sandboxes.get):
        with pytest.raises(errors.NotFound, match='sandbox "pod" in namespace "default": not found'):
            call("pod")
    # What is missing is told before what is wrong with the request.
    with pytest.raises(errors.NotFound):
        sandboxes.update(POD, ["nonsense"])


def test_the_store_announces_nothing(rig: Any) -> None:
    sandboxes = rig.view().sandboxes
    sandboxes.create(POD)
    sandboxes.update(POD, ["labels"])
    sandboxes.delete("pod")
    assert rig.exchange.topics == []


def test_a_namespace_may_go_with_its_sandboxes(rig: Any) -> None:
    """They do not count as its content (``listNs`` in ``core/metadata/namespaces.go``), and go with it."""
    rig.view("a").sandboxes.create(POD)
    rig.view("ab").sandboxes.create(POD)
    rig.database.namespaces.delete("a")
    assert rig.view("a").sandboxes.list() == []
    assert len(rig.view("ab").sandboxes.list()) == 1
