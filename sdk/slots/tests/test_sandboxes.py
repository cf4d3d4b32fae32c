import inspect
from dataclasses import FrozenInstanceError, replace

import pytest

from moorage_sdk.containers import Runtime
from moorage_sdk.events import Payload
from moorage_sdk.sandboxes import SANDBOX_CONTROLLER, Creation, Sandbox, SandboxController, Sandboxes, Status


def test_a_record_is_a_value() -> None:
    sandbox = Sandbox("pod", Runtime("io.containerd.kata.v2"), Payload("types.containerd.io/x", b"{}"))
    assert replace(sandbox) == sandbox
    with pytest.raises(FrozenInstanceError):
        sandbox.id = "other"  # type: ignore[misc]


def test_records_do_not_share_what_they_leave_out() -> None:
    one, other = Sandbox("a", Runtime("r")), Sandbox("b", Runtime("r"))
    assert one.labels is not other.labels and one.extensions is not other.extensions
    assert Creation(one).annotations is not Creation(other).annotations
    assert Status("a").info is not Status("b").info


def test_a_store_must_do_everything() -> None:
    assert Sandboxes.__abstractmethods__ == {"get", "list", "create", "update", "delete"}


def test_every_method_of_a_controller_waits_on_the_loop() -> None:
    methods = {"create", "start", "platform", "stop", "wait", "status", "shutdown", "metrics", "update"}
    assert SandboxController.__abstractmethods__ == methods
    for name in methods:
        assert inspect.iscoroutinefunction(getattr(SandboxController, name)), name


def test_the_slot_is_containerds() -> None:
    assert SANDBOX_CONTROLLER.type == "io.containerd.sandbox.controller.v1"
    assert SANDBOX_CONTROLLER.group == "moorage.sandbox-controller"
