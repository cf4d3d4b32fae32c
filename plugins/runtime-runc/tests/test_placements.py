from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from moorage_api.convert import payloads
from moorage_api.messages import runc_options, runtime_options
from moorage_runtime_runc import cgroups, placements
from moorage_runtime_runc.placements import Monitors
from moorage_runtime_runc.supervisors import MonitorRuntime, Place
from moorage_sdk import errors
from moorage_sdk.events import Payload
from moorage_sdk.runtimes import Endpoint, Runtime
from moorage_sdk.tasks import Bundle


def options(cgroup: str) -> Payload:
    return payloads.of(runc_options.Options(shim_cgroup=cgroup))


@pytest.mark.parametrize(
    ("told", "cgroup"),
    [
        (None, ""),
        (Payload("containerd.runc.v1.Options", b""), ""),
        (options(""), ""),
        (options("/shims"), "/shims"),
        (payloads.of(runtime_options.Options(config_body=b'ShimCgroup = "/shims"')), "/shims"),
        (payloads.of(runtime_options.Options(config_body=b"ShimCgroup = 3")), ""),
        (payloads.of(runtime_options.Options(config_body=b"= no toml")), ""),
        (Payload("containerd.runc.v1.Options", b"\xff"), ""),
        (Payload("who.knows.Options", b"x"), ""),
    ],
)
def test_what_is_wanted(told: Payload | None, cgroup: str) -> None:
    assert placements.wanted(told) == cgroup


def test_each_cgroup_has_a_place_beside_the_nodes() -> None:
    node = Place(Path("/run/x/io.containerd.runtime.v1.runc"), "/a", "/b", ["--relay"])
    one, other = placements.inside(node, "/one"), placements.inside(node, "/other")
    assert len({node.state, one.state, other.state}) == 3 == len({each.state.parent for each in (node, one, other)}) + 2
    assert one == placements.inside(node, "/one")
    command = one.command()
    assert command[command.index("--cgroup") + 1] == "/one" and {"--leave", "--relay"} <= set(command)


class Scripted(Runtime):
    """A monitor without a process."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.cleaned: list[str] = []

    @property
    def names(self) -> tuple[str, ...]:
        return ()

    async def start(self, bundle: Bundle, options: Payload | None = None) -> Endpoint:
        return Endpoint(str(self.place.socket))

    async def find(self, bundle: Bundle) -> Endpoint | None:
        return Endpoint(str(self.place.socket))

    async def cleanup(self, bundle: Bundle) -> None:
        self.cleaned.append(bundle.id)


def test_without_a_wish_the_nodes_monitor_carries_and_nothing_is_noted(tmp_path: Path) -> None:
    async def run() -> None:
        made: list[Scripted] = []
        place = Place(tmp_path / "state", "/a", "/b")
        monitors = Monitors(place, lambda each: made.append(Scripted(each)) or made[-1])  # type: ignore[func-returns-value]
        bundle = Bundle(str(tmp_path), "ns", "c")
        assert (await monitors.start(bundle, options(""))).path == str(place.socket)
        assert list(tmp_path.iterdir()) == []
        (tmp_path / placements.FILE).write_text("/shims")  # as an earlier daemon noted it
        found = await monitors.find(bundle)
        assert found is not None and found.path == str(placements.inside(place, "/shims").socket)
        await monitors.cleanup(bundle)
        assert [each.cleaned for each in made] == [[], ["c"]]

    asyncio.run(run())


@pytest.mark.parametrize(
    ("cgroup", "error"), [("/moorage-test-none", errors.NotFound), ("/../up", errors.InvalidArgument)]
)
def test_a_cgroup_that_is_not_there_is_refused(tmp_path: Path, cgroup: str, error: type[errors.Error]) -> None:
    async def run() -> None:
        monitors = Monitors(Place(tmp_path / "state", "/a", "/b"), Scripted)
        with pytest.raises(error, match=f'cgroup "{cgroup}"'):
            await monitors.start(Bundle(str(tmp_path), "ns", "c"), options(cgroup))

    asyncio.run(run())


@pytest.fixture
def cgroup() -> Iterator[str]:
    """An empty cgroup, which can be removed afterwards: nobody stays in it."""
    if os.geteuid() != 0:
        pytest.skip("needs root: cgroups")
    name = f"/moorage-test-{os.getpid()}-shims"
    points = {cgroups.ROOT} if cgroups.is_unified() else {point for _, point in cgroups._v1_mounts().values()}
    made = [point / name.lstrip("/") for point in points if point.name in ("devices", "memory", "pids", "cgroup")]
    if not made:
        pytest.skip("needs a hierarchy of cgroups")
    for each in made:
        each.mkdir()
    try:
        yield name
    finally:
        for each in made:
            each.rmdir()


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(placements, "LINGER", 0.3)
    folder = Path(tempfile.mkdtemp(prefix="moorage-placement-"))
    yield folder / "state"
    shutil.rmtree(folder)


def test_a_monitor_lives_in_the_cgroup_and_leaves_it(cgroup: str, state: Path) -> None:
    async def run() -> None:
        made: list[MonitorRuntime] = []

        def make(each: Place) -> MonitorRuntime:
            made.append(MonitorRuntime(each))
            return made[-1]

        monitors = Monitors(Place(state, str(state.parent / "d.sock"), str(state.parent / "d.ttrpc")), make)
        bundles = [Bundle(str(state.parent / id), "ns", id) for id in ("c", "d")]
        for each in bundles:
            Path(each.path).mkdir()
        one, other = await asyncio.gather(*(monitors.start(each, options(cgroup)) for each in bundles))
        assert one == other and one.shared
        assert [placements.noted(each) for each in bundles] == [cgroup] * 2
        monitor: Any = made[-1]._process
        assert cgroups.named(cgroup).pids() == [monitor.pid]
        score = int(Path(f"/proc/{monitor.pid}/oom_score_adj").read_text())
        assert score in (int(Path("/proc/self/oom_score_adj").read_text()) + d for d in (0, 1))
        # No task was created: it goes, and the cgroup with it.
        assert await asyncio.to_thread(monitor.wait, 30) == 0
        # The next task brings one back.
        again = await monitors.start(bundles[0], options(cgroup))
        assert again == one
        monitor = made[-1]._process
        assert cgroups.named(cgroup).pids() == [monitor.pid]
        assert await asyncio.to_thread(monitor.wait, 30) == 0

    asyncio.run(run())


def test_a_monitor_that_leaves_is_waited_for_and_replaced(cgroup: str, state: Path) -> None:
    """It stops listening before it ends, and whoever comes in between must not be refused."""

    async def run() -> None:
        made: list[MonitorRuntime] = []

        def make(each: Place) -> MonitorRuntime:
            made.append(MonitorRuntime(each))
            return made[-1]

        node = Place(state, str(state.parent / "d.sock"), str(state.parent / "d.ttrpc"))
        monitors = Monitors(node, make)
        bundle = Bundle(str(state.parent), "ns", "c")
        place = placements.inside(node, cgroup)
        place.state.mkdir()
        # As one that has closed its socket and still has its directory.
        leaving = os.open(place.state / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(leaving, fcntl.LOCK_EX)
        starting = asyncio.create_task(monitors.start(bundle, options(cgroup)))
        async with asyncio.timeout(20):
            while "another monitor serves" not in _read(place.state / "monitor.log"):
                await asyncio.sleep(0.02)
        assert not starting.done()
        os.close(leaving)
        assert Path((await starting).path) == place.socket
        monitor: Any = made[-1]._process
        assert await asyncio.to_thread(monitor.wait, 30) == 0

    asyncio.run(run())


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def test_a_monitor_without_its_cgroup_serves_nothing(state: Path) -> None:
    place = placements.inside(Place(state, "/a", "/b"), "/moorage-test-none")
    done = subprocess.run(place.command(), capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 71 and 'cgroup "/moorage-test-none": not entered' in done.stderr
    assert not place.socket.exists()


def test_a_monitor_that_takes_over_containers_does_so_wherever_it_is(state: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root: a subreaper with a lower OOM score")
    place = placements.inside(Place(state, str(state.parent / "d.sock"), "/b"), "/moorage-test-none")
    (place.state / "tasks" / "ns").mkdir(parents=True)
    (place.state / "tasks" / "ns" / "c").symlink_to("/no/such/bundle")
    with subprocess.Popen(place.command(), stderr=subprocess.PIPE, text=True) as monitor:
        deadline = time.monotonic() + 20
        while not place.socket.exists() and monitor.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        monitor.terminate()
        assert monitor.wait(20) == 0
        assert monitor.stderr is not None and "not entered" in monitor.stderr.read()
