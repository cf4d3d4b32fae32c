"""Uploads to registries that break off, go silent, or say what they should not."""

from __future__ import annotations

import random
import threading
import time

import pytest

from moorage_sdk import digests, errors
from moorage_sdk.descriptors import Descriptor
from moorage_sdk.transfers import Push
from moorage_testkit.images import Layout
from moorage_testkit.registries import Exchange, Proxy, Registry
from moorage_testkit.uploads import Uploads
from moorage_transfer_local.retries import Policy
from moorage_transfer_local.servers import Settings
from moorage_transfer_local.transports import Timeouts

SIZE = 3_000_000
UPLOAD = "/blobs/uploads/"


@pytest.fixture(scope="module")
def bulk() -> bytes:
    return random.Random(1).randbytes(SIZE)


@pytest.fixture
def blob(world, layout: Layout, bulk: bytes) -> Descriptor:
    """An image that is one blob, so that there is one upload."""
    descriptor = layout.blob("application/octet-stream", bulk)
    layout.tag("bulk", descriptor)
    world.hold(layout, "bulk", "local")
    return descriptor


def goal(address: str, **more: object) -> Push:
    return Push(f"{address}/a/b:1", "local", **more)  # type: ignore[arg-type]


class TestAnUpload:
    def test_takes_three_requests(self, world, blob: Descriptor, bulk: bytes) -> None:
        with Uploads() as registry:
            world.push(goal(registry.address))
            assert registry.methods() == ["HEAD", "POST", "PUT"]
            assert registry.blobs == {("a/b", blob.digest): bulk}

    def test_is_told_as_it_advances(self, worlds, layout: Layout, blob: Descriptor) -> None:
        world = worlds()
        world.hold(layout, "bulk", "local")
        with Uploads() as registry:
            world.push(goal(registry.address))
        steps = [line.progress for line in world.lines if line.event == "uploading"]
        assert steps
        assert steps == sorted(steps)
        assert all(0 < step <= SIZE for step in steps)

    def test_that_broke_off_goes_on_there(self, world, blob: Descriptor, bulk: bytes) -> None:
        with Uploads(breaks=[1_000_000]) as registry:
            world.push(goal(registry.address))
            assert registry.sent == [1_000_000, 2_000_000]
            assert registry.methods() == ["HEAD", "POST", "PUT", "GET", "PATCH", "PUT"]
            assert registry.blobs["a/b", blob.digest] == bulk

    def test_that_breaks_off_again_and_again_goes_on_as_long_as_it_advances(
        self, worlds, layout: Layout, blob: Descriptor, bulk: bytes
    ) -> None:
        world = worlds(settings=Settings(Timeouts(5, 20), Policy(attempts=2, base=0.01)))
        world.hold(layout, "bulk", "local")
        with Uploads(breaks=[1_400_000, 1_400_000]) as registry:
            world.push(goal(registry.address))
            assert registry.sent == [1_400_000, 1_400_000, 200_000]
            assert registry.blobs["a/b", blob.digest] == bulk

    def test_that_never_advances_is_given_up(self, world, blob: Descriptor) -> None:
        with Uploads(breaks=[0] * 10) as registry:
            with pytest.raises(errors.Unavailable):
                world.push(goal(registry.address))
            assert registry.sent == [0] * 5
        assert world.view.leases.list() == []

    def test_that_was_forgotten_begins_anew(self, world, blob: Descriptor, bulk: bytes) -> None:
        with Uploads(breaks=[1_000_000], forgets=True) as registry:
            world.push(goal(registry.address))
            assert registry.sent == [1_000_000, SIZE]
            assert registry.blobs["a/b", blob.digest] == bulk

    @pytest.mark.parametrize("status", [429, 500, 502, 503])
    def test_that_was_taken_but_not_wanted_is_only_finished(
        self, world, blob: Descriptor, bulk: bytes, status: int
    ) -> None:
        with Uploads(denies=[status]) as registry:
            world.push(goal(registry.address))
            assert registry.sent == [SIZE]
            assert registry.methods() == ["HEAD", "POST", "PUT", "GET", "PUT"]
            assert registry.blobs["a/b", blob.digest] == bulk

    @pytest.mark.parametrize("status", [400, 413, 403])
    def test_that_is_refused_is_not_tried_again(self, world, blob: Descriptor, status: int) -> None:
        with Uploads(denies=[status]) as registry:
            with pytest.raises((errors.FailedPrecondition, errors.PermissionDenied), match=f"answered {status}"):
                world.push(goal(registry.address))
            assert registry.sent == [SIZE]

    def test_whose_answer_was_lost_is_found_complete(self, world, blob: Descriptor, gate: Proxy) -> None:
        gate.on("PUT", UPLOAD, vanish, times=1)
        world.push(goal(gate.address))
        assert gate.count("PUT", UPLOAD) == 1
        assert [line.event for line in world.lines].count("complete") == 1

    def test_whose_rest_is_refused_begins_anew(self, world, blob: Descriptor, bulk: bytes) -> None:
        with Uploads(breaks=[1_000_000]) as registry, Proxy(registry.address) as gate:
            # The proxy takes a body whole before it passes it on, so the break is the registry's with the proxy.
            gate.on("PUT", UPLOAD, Exchange.answer, 503, times=1)
            gate.on("PATCH", UPLOAD, Exchange.answer, 400, times=1)
            world.push(goal(gate.address))
            assert gate.count("POST", UPLOAD) == 2
            assert registry.blobs["a/b", blob.digest] == bulk

    def test_that_a_registry_received_otherwise_is_data_loss(self, world, blob: Descriptor, gate: Proxy) -> None:
        other = digests.of(b"other")
        gate.on("PUT", UPLOAD, lambda exchange: exchange.set("Docker-Content-Digest", other))
        with pytest.raises(errors.DataLoss, match=other):
            world.push(goal(gate.address))

    def test_waits_as_long_as_the_registry_says(self, worlds, layout: Layout, blob: Descriptor) -> None:
        world = worlds(settings=Settings(Timeouts(5, 20), Policy(base=0.01, longest=10)))
        world.hold(layout, "bulk", "local")
        times: list[float] = []

        def busy(exchange: Exchange) -> None:
            times.append(time.monotonic())
            if len(times) == 1:
                exchange.answer(429, {"Retry-After": "1"})

        with Uploads() as registry, Proxy(registry.address) as gate:
            gate.on("POST", UPLOAD, busy)
            world.push(goal(gate.address))
        assert len(times) == 2
        assert times[1] - times[0] >= 1


@pytest.fixture
def ocean(layout: Layout) -> str:
    """An image that is one blob, larger than what kernels keep for a receiver who does not read."""
    layout.tag("ocean", layout.blob("application/octet-stream", bytes(48 << 20)))
    return "ocean"


class TestARegistryThatTakesNothing:
    def test_is_given_up(self, worlds, layout: Layout, ocean: str, release: threading.Event) -> None:
        world = worlds(settings=Settings(Timeouts(20, 0.5), Policy(attempts=2, base=0.01)))
        world.hold(layout, ocean, "local")
        with Uploads(awaits=release) as registry:
            began = time.monotonic()
            with pytest.raises(errors.Unavailable, match="timed out"):
                world.push(goal(registry.address))
            assert time.monotonic() - began < 15  # and not the time for connecting
            assert registry.methods().count("PUT") == 2

    def test_does_not_keep_a_client_that_leaves(
        self, world, layout: Layout, ocean: str, release: threading.Event
    ) -> None:
        world.hold(layout, ocean, "local")
        with Uploads(awaits=release) as registry:

            def left() -> bool:
                return "PUT" in registry.methods() and any(line.event == "uploading" for line in world.lines)

            began = time.monotonic()
            with pytest.raises(errors.Cancelled):
                world.push(goal(registry.address, cancelled=left))
            assert time.monotonic() - began < 15


class TestTheEnd:
    def test_comes_when_the_client_leaves(self, world, blob: Descriptor, gate: Proxy, release: threading.Event) -> None:
        reached, left = threading.Event(), threading.Event()
        gate.on("PUT", UPLOAD, lambda exchange: (reached.set(), release.wait(60)))
        failures: list[Exception] = []

        def work() -> None:
            try:
                world.push(goal(gate.address, cancelled=left.is_set))
            except errors.Error as error:
                failures.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        assert reached.wait(20)
        left.set()
        thread.join(20)
        assert not thread.is_alive()
        assert [type(failure) for failure in failures] == [errors.Cancelled]
        assert gate.count("PUT", "/manifests/") == 0
        assert world.view.leases.list() == []

    def test_comes_when_the_registry_falls_silent(
        self, worlds, layout: Layout, blob: Descriptor, gate: Proxy, release: threading.Event
    ) -> None:
        world = worlds(settings=Settings(Timeouts(5, 0.5), Policy(attempts=2, base=0.01)))
        world.hold(layout, "bulk", "local")
        gate.on("POST", UPLOAD, lambda exchange: release.wait(60))
        with pytest.raises(errors.Unavailable):
            world.push(goal(gate.address))
        assert gate.count("POST", UPLOAD) == 2

    def test_of_one_layer_ends_the_others(self, world, layout: Layout, gate: Proxy, release: threading.Event) -> None:
        world.hold(layout, "big", "local")
        turns = iter(range(100))
        lock = threading.Lock()

        def one_refused(exchange: Exchange) -> None:
            with lock:
                turn = next(turns)
            if turn == 0:
                exchange.answer(403)
            else:
                release.wait(60)

        gate.on("PUT", UPLOAD, one_refused)
        began = time.monotonic()
        with pytest.raises(errors.PermissionDenied):
            world.push(goal(gate.address))
        assert time.monotonic() - began < 30
        assert gate.count("PUT", "/manifests/") == 0


def test_no_more_are_under_way_than_the_daemon_may(worlds, layout: Layout, store: Registry) -> None:
    world = worlds(uploads=2)
    world.hold(layout, "big", "local")
    under_way, most, lock = 0, 0, threading.Lock()

    def count(exchange: Exchange) -> None:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.05)
        with lock:
            under_way -= 1

    with Proxy(store.address) as gate:
        gate.on("PUT", UPLOAD, count)
        pushes = [
            threading.Thread(target=world.push, args=(Push(f"{gate.address}/{name}/x:1", "local"),)) for name in "ab"
        ]
        for push in pushes:
            push.start()
        for push in pushes:
            push.join(60)
        assert gate.count("PUT", "/manifests/") == 2
    assert most == 2


def vanish(exchange: Exchange) -> None:
    """The registry has done it, and the connection ends without a word."""
    raise ConnectionError
