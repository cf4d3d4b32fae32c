"""Who carries a runtime name."""

import asyncio
import sys
from pathlib import Path

import pytest

from moorage_sdk import errors
from moorage_sdk.runtimes import Endpoint
from moorage_sdk.tasks import Bundle
from moorage_tasks_shim.binaries import Binary
from moorage_tasks_shim.bootstraps import Daemon
from moorage_tasks_shim.carriers import BinaryCarrier, Carriers, Lodging, PluginCarrier
from moorage_tasks_shim.records import Record
from moorage_testkit.fakes.shims import Shim, ShimRuntime

BUNDLE = Bundle("/state/ns/web", "ns", "web")


def carriers(runtime: ShimRuntime) -> Carriers:
    return Carriers({"runc": runtime}, lambda path: Binary(path, Daemon("", "", "", "")))


@pytest.fixture
def runtime() -> ShimRuntime:
    return ShimRuntime(Shim(Path("/run/shim")), "io.containerd.runc.v2", "io.containerd.moorage.v2")


@pytest.fixture
def binary(tmp_path: Path) -> Path:
    path = tmp_path / "containerd-shim-x-v1"
    path.write_text("#!/bin/sh\nexit 3\n")
    path.chmod(0o755)
    return path


def test_names_of_a_plugin_are_carried_by_it(runtime: ShimRuntime) -> None:
    known = carriers(runtime)
    assert known.choose("io.containerd.runc.v2") is known.choose("io.containerd.moorage.v2")
    assert isinstance(known.choose("io.containerd.runc.v2"), PluginCarrier)


def test_an_absolute_path_is_always_a_binary(runtime: ShimRuntime, binary: Path) -> None:
    carrier = carriers(runtime).choose(str(binary))
    assert isinstance(carrier, BinaryCarrier)
    assert carrier.binary == str(binary)
    assert (carrier.program, carrier.patient) == (str(binary), False)


def test_a_remembered_binary_wins_over_what_its_name_leads_to_now(runtime: ShimRuntime, binary: Path) -> None:
    known = carriers(runtime)
    assert isinstance(known.remembered(Record("io.containerd.runc.v2", binary=str(binary))), BinaryCarrier)
    assert isinstance(known.remembered(Record("io.containerd.runc.v2")), PluginCarrier)


def test_no_name_and_unknown_names_are_refused(runtime: ShimRuntime) -> None:
    with pytest.raises(errors.InvalidArgument):
        carriers(runtime).choose("")
    with pytest.raises(errors.NotFound):
        carriers(runtime).choose("io.containerd.nothere.v9")


def test_a_plugin_is_asked_through_the_shim_that_came_with_it(
    runtime: ShimRuntime, binary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = binary.rename(binary.with_name("containerd-shim-moorage-v2"))
    monkeypatch.setattr(sys, "argv", [str(own.with_name("mooraged"))])
    monkeypatch.setattr(sys, "executable", "/nowhere/python3")
    for name in runtime.names:
        assert carriers(runtime).binary(name).path == own
        assert (carriers(runtime).choose(name).program, carriers(runtime).choose(name).binary) == (str(own), "")
    assert carriers(runtime).binary(str(own)).path == own
    with pytest.raises(errors.NotFound):
        carriers(runtime).binary("io.containerd.nothere.v9")


def test_a_plugin_starts_finds_and_cleans(runtime: ShimRuntime) -> None:
    async def run() -> None:
        carrier = carriers(runtime).choose("io.containerd.runc.v2")
        assert await carrier.start(BUNDLE, None) == runtime.endpoint
        assert await carrier.find(BUNDLE, Record("x")) == runtime.endpoint
        exited = await carrier.cleanup(BUNDLE)
        assert (exited.status, exited.id) == (255, "web")
        assert runtime.cleaned == [BUNDLE]

    asyncio.run(run())


def test_a_binary_is_found_where_it_was_and_its_failure_is_told(
    runtime: ShimRuntime, binary: Path, tmp_path: Path
) -> None:
    async def run() -> None:
        carrier = carriers(runtime).choose(str(binary))
        endpoint = Endpoint("/run/s")
        assert await carrier.find(BUNDLE, Record("x", endpoint=endpoint)) == endpoint
        with pytest.raises(errors.Unavailable, match="exit status 3"):
            await carrier.cleanup(Bundle(str(tmp_path), "ns", "web"))

    asyncio.run(run())


def test_a_task_that_lived_in_a_sandboxs_shim_is_looked_for_there(runtime: ShimRuntime, binary: Path) -> None:
    async def run() -> None:
        known, endpoint = carriers(runtime), Endpoint("/run/pod", 3)
        told = known.remembered(Record("io.containerd.gone.v1", endpoint=endpoint, sandbox="pod"))
        assert isinstance(told, Lodging)
        assert await told.start(BUNDLE, None) == await told.find(BUNDLE, Record("x")) == endpoint
        assert (told.binary, told.program, told.lodges) == ("", "", True)
        # Nobody knows how to clear up behind it.
        assert (await told.cleanup(BUNDLE)).status == 255
        owned = known.remembered(Record("x", binary=str(binary), endpoint=endpoint, sandbox="pod"))
        assert (owned.binary, owned.program, owned.lodges) == (str(binary), str(binary), True)
        with pytest.raises(errors.Unavailable):  # which is what the sandbox's own binary says here
            await owned.cleanup(BUNDLE)

    asyncio.run(run())
