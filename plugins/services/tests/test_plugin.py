"""Every service as a plugin."""

from concurrent.futures import Future
from importlib import metadata as installed
from pathlib import Path
from typing import Any

import pytest

from moorage_api import methods
from moorage_sdk import errors
from moorage_sdk.collectors import Collector
from moorage_sdk.garbage import Explanation, Object, Plan
from moorage_sdk.images import Image
from moorage_sdk.metadata import Collection, View
from moorage_sdk.slots import NoConfig, Plugin, Skip
from moorage_sdk.transfers import Pull, Push, Report, Transfer
from moorage_services import plugin
from moorage_services.deprecations import Register
from moorage_services.plugin import DiffConfig
from moorage_testkit.fakes.activations import MemoryMountManager
from moorage_testkit.fakes.contexts import Context
from moorage_testkit.fakes.differs import TarDiffer
from moorage_testkit.fakes.events import MemoryExchange
from moorage_testkit.fakes.metadata import MemoryMetadata
from moorage_testkit.fakes.sandboxes import MemorySandboxController
from moorage_testkit.fakes.tasks import MemoryTasks


class Never(Collector):
    def collect(self) -> Future[Collection]:
        return Future()


class Planning(MemoryMetadata):
    def plan(self) -> Plan:
        return Plan()

    def why(self, wanted: Object) -> Explanation:
        return Explanation(wanted)


class Idle(Transfer):
    def pull(self, view: View, pull: Pull, report: Report) -> Image:
        raise errors.Unavailable("idle")

    def push(self, view: View, push: Push, report: Report) -> Image:
        raise errors.Unavailable("idle")


def context(folder: Path, **changes: Any) -> Context:
    plugins: dict[str, Any] = {
        "metadata": {"lmdb": Planning()},
        "gc": {"scheduler": Never()},
        "events": {"exchange": MemoryExchange()},
        "tasks": {"shim": MemoryTasks()},
        "differ": {"walking": TarDiffer()},
        "transfer": {"local": Idle()},
        "mount-manager": {"lmdb": MemoryMountManager()},
        "sandbox-controller": {"shim": MemorySandboxController()},
        "warning": {"deprecations": Register()},
    }
    return Context(folder, "io.containerd.grpc.v1.test", {**plugins, **changes})


PLUGINS = {
    "containers": plugin.containers,
    "content": plugin.content,
    "diff": plugin.diff,
    "events": plugin.events,
    "gc": plugin.gc,
    "healthcheck": plugin.healthcheck,
    "images": plugin.images,
    "introspection": plugin.introspection,
    "leases": plugin.leases,
    "mounts": plugin.mounts,
    "namespaces": plugin.namespaces,
    "sandbox-controllers": plugin.sandboxers,
    "sandboxes": plugin.sandboxes,
    "snapshots": plugin.snapshots,
    "streaming": plugin.streaming,
    "tasks": plugin.tasks,
    "transfer": plugin.transfer,
    "version": plugin.version,
}


@pytest.mark.parametrize("id", PLUGINS)
def test_each_is_registered_under_containerds_name(id: str) -> None:
    (entry,) = installed.entry_points(group="moorage.service", name=id)
    assert entry.load() is PLUGINS[id]
    assert PLUGINS[id].uri == f"io.containerd.grpc.v1.{id}"


@pytest.mark.parametrize("id", PLUGINS)
def test_each_offers_methods_that_its_service_has(id: str, tmp_path: Path) -> None:
    made: Plugin[Any, Any] = PLUGINS[id]
    service = made.make(context(tmp_path), made.config())
    assert service.transport == "grpc"
    for name in service.names:
        assert methods.service(name).name == name
    assert len(service.handlers()) == 1  # which fails for a handler of a method that there is not


def test_deprecations_are_registered_under_containerds_name(tmp_path: Path) -> None:
    (entry,) = installed.entry_points(group="moorage.warning", name="deprecations")
    assert entry.load() is plugin.deprecated
    assert plugin.deprecated.uri == "io.containerd.warning.v1.deprecations"
    met = {each.id for each in plugin.make_deprecated(context(tmp_path), NoConfig()).met()}
    unified = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    assert met == (set() if unified else {"io.containerd.deprecation/cgroup-v1"})


def test_forwarding_is_offered_to_shims(tmp_path: Path) -> None:
    service = plugin.forwarding.make(context(tmp_path), NoConfig())
    assert (service.transport, plugin.forwarding.uri) == ("ttrpc", "io.containerd.ttrpc.v1.events")


def test_missing_differs_are_left_out_and_none_at_all_is_a_failure(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plugin.make_diff(context(tmp_path), DiffConfig(default=("erofs", "walking")))
    assert '"erofs"' in caplog.text
    with pytest.raises(errors.FailedPrecondition, match="erofs"):
        plugin.make_diff(context(tmp_path), DiffConfig(default=("erofs",)))


def test_introspection_works_without_a_task_manager(tmp_path: Path) -> None:
    assert plugin.make_introspection(context(tmp_path, tasks={}), NoConfig()).names


def test_a_store_that_plans_nothing_has_nobody_to_explain_it(tmp_path: Path) -> None:
    with pytest.raises(Skip, match="what a collection would do"):
        plugin.make_gc(context(tmp_path, metadata={"other": MemoryMetadata()}), NoConfig())


def test_without_a_controller_sandboxes_can_only_be_written_down(tmp_path: Path) -> None:
    bare = context(tmp_path, **{"sandbox-controller": {}})
    with pytest.raises(errors.FailedPrecondition, match="sandbox controllers"):
        plugin.make_sandboxers(bare, NoConfig())
    assert plugin.make_sandboxes(bare, NoConfig()).names == ("containerd.services.sandbox.v1.Store",)
