"""What lies outside of the store is collected with what lies in it, and never while something keeps it."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from moorage_metadata_lmdb import nodes
from moorage_metadata_lmdb.collectibles import Collectibles
from moorage_metadata_lmdb.removals import Report
from moorage_sdk import digests, errors
from moorage_sdk.containers import Container, Runtime
from moorage_sdk.events import Payload
from moorage_sdk.garbage import Object
from moorage_sdk.resources import Item, Resources

BREF = "containerd.io/gc.bref."
SPEC = Payload("t", b"")
DIGEST = digests.of(b"x")


class Mounts(Resources):
    kind = "mount"

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}
        self.condemned: list[str] = []
        self.calls: list[str] = []
        self.failing: set[str] = set()
        self.at_condemning: Callable[[], None] = lambda: None

    def add(self, name: str, lease: str = "", namespace: str = "default", **labels: str) -> None:
        keyed = {BREF + key.replace("_", "."): value for key, value in labels.items()}
        self.items[name] = Item(namespace, name, "1", lease, keyed)

    def all(self) -> Sequence[Item]:
        self._call("all")
        return list(self.items.values())

    def condemn(self, items: Sequence[Item]) -> None:
        self._call("condemn")
        self.at_condemning()
        self.condemned += [item.name for item in items]

    def remove(self, item: Item) -> None:
        self._call(f"remove {item.name}")
        if item.name not in self.items:
            raise errors.NotFound(f'mount "{item.name}": not found')
        del self.items[item.name]

    def cleanup(self) -> None:
        self._call("cleanup")

    def _call(self, what: str) -> None:
        self.calls.append(what)
        if what in self.failing:
            raise RuntimeError(f"{what} is broken")


@pytest.fixture
def mounts(rig: Any) -> Mounts:
    made = Mounts()
    rig.database.collects(made)
    return made


def container(rig: Any, id: str, namespace: str = "default") -> None:
    rig.view(namespace).containers.create(Container(id, Runtime("r"), SPEC))


def test_what_nobody_keeps_goes(rig: Any, mounts: Mounts) -> None:
    mounts.add("web")
    found = rig.database.collect()
    assert found.removed == (Object("mount", "default", "web"),)
    assert found.failures == ()
    assert mounts.calls == ["all", "condemn", "remove web", "cleanup"]
    assert mounts.condemned == ["web"]
    assert rig.database.collect().removed == ()
    assert mounts.calls[4:] == ["all", "cleanup"]


def test_what_is_kept_by_its_lease_goes_with_it(rig: Any, mounts: Mounts) -> None:
    rig.view().leases.create("l")
    rig.view("other").leases.create("elsewhere")
    mounts.add("web", lease="l")
    mounts.add("stray", lease="absent")
    mounts.add("abroad", lease="elsewhere")
    rig.database.collect()
    assert set(mounts.items) == {"web"}
    rig.view().leases.delete("l")
    rig.database.collect()
    assert not mounts.items


def test_an_expired_lease_keeps_nothing(rig: Any, mounts: Mounts) -> None:
    rig.view().leases.create("l", {"containerd.io/gc.expire": "2000-01-01T00:00:00Z"})
    mounts.add("web", lease="l")
    rig.database.collect()
    assert not mounts.items


def test_what_it_refers_back_to_keeps_it(rig: Any, mounts: Mounts) -> None:
    container(rig, "c")
    rig.put(b"x", gc_root="1")
    rig.layer("base", gc_root="1")
    mounts.add("of-container", container="c")
    mounts.add("of-container-named", container_rootfs="c")
    mounts.add("of-content", content=DIGEST)
    mounts.add("of-snapshot", snapshot_memory="base")
    mounts.add("of-nobody", container="d")
    mounts.add("of-another", namespace="other", container="c")
    rig.database.collect()
    assert set(mounts.items) == {"of-container", "of-container-named", "of-content", "of-snapshot"}
    rig.view().containers.delete("c")
    rig.database.collect()
    assert set(mounts.items) == {"of-content", "of-snapshot"}


def test_who_refers_to_it_keeps_it(rig: Any, mounts: Mounts) -> None:
    mounts.add("web")
    rig.view().containers.create(Container("c", Runtime("r"), SPEC, labels={"containerd.io/gc.ref.mount.0": "web"}))
    rig.database.collect()
    assert set(mounts.items) == {"web"}
    rig.view().containers.delete("c")
    rig.database.collect()
    assert not mounts.items


@pytest.mark.parametrize(
    "keep",
    [
        lambda rig: container(rig, "c"),
        lambda rig: rig.view().leases.create("l"),
        lambda rig: rig.view().containers.create(
            Container("d", Runtime("r"), SPEC, labels={"containerd.io/gc.ref.mount": "web"})
        ),
    ],
)
def test_what_is_kept_between_marking_and_sweeping_stays(
    rig: Any, mounts: Mounts, keep: Callable[[Any], object]
) -> None:
    mounts.add("web", lease="l", container="c")
    collectibles = Collectibles({"mount": mounts})
    mark = rig.database._mark(collectibles)
    keep(rig)
    rig.database._sweep(mark, collectibles)
    assert mounts.condemned == []


def test_what_is_made_after_the_marking_is_not_collected(rig: Any, mounts: Mounts) -> None:
    collectibles = Collectibles({"mount": mounts})
    mark = rig.database._mark(collectibles)
    mounts.add("web")
    rig.database._sweep(mark, collectibles)
    assert mounts.condemned == []


def test_what_went_by_itself_is_not_told(rig: Any, mounts: Mounts) -> None:
    mounts.add("web")
    mounts.at_condemning = mounts.items.clear
    found = rig.database.collect()
    assert (found.removed, found.failures) == ((), ())


@pytest.mark.parametrize("broken", ["all", "condemn", "remove web", "cleanup"])
def test_an_owner_that_fails_is_told_of_and_stops_nothing(rig: Any, mounts: Mounts, broken: str) -> None:
    rig.put(b"x")
    mounts.add("web")
    mounts.failing = {broken}
    found = rig.database.collect()
    assert Object("content", "default", DIGEST) in found.removed
    assert any("broken" in failure for failure in found.failures), found.failures
    mounts.failing = set()
    assert rig.database.collect().failures == ()
    assert not mounts.items


def test_plans_and_explanations_know_them(rig: Any, mounts: Mounts) -> None:
    container(rig, "c")
    mounts.add("web", container="c")
    mounts.add("stray")
    assert [str(removal) for removal in rig.database.plan().removals] == ["mount default stray ?"]
    why = rig.database.why(Object("mount", "default", "web"))
    assert why.object == Object("mount", "default", "web")
    assert [[str(step.object) for step in path] for path in why.paths] == [["container default c", "mount default web"]]
    assert rig.database.why(Object("mount", "default", "stray")).paths == ()
    assert set(mounts.items) == {"web", "stray"}


def test_nothing_is_asked_of_an_owner_whose_collectibles_are_not_listed() -> None:
    mounts = Mounts()
    collectibles, report = Collectibles({"mount": mounts}), Report()
    collectibles.condemn([nodes.collectible("default", "mount", "web"), nodes.collectible("default", "stream", "s")])
    collectibles.remove(report)
    assert mounts.calls == ["cleanup"]
    assert (report.removed, report.failures) == ([], [])
