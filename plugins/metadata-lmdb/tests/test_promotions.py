import threading
from typing import Any

import pytest

from moorage_metadata_lmdb import rows
from moorage_sdk import errors
from moorage_sdk.leases import Resource
from moorage_sdk.snapshots import Kind


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours runs after it."""


def left(rig: Any) -> int:
    with rig.database._ledger.read() as reading:
        return sum(1 for _ in reading.scan(rows.PROMOTIONS))


def die(rig: Any, moment: str) -> None:
    """Make the next commit die before or after the backend performed it, and open the store anew."""

    def kill() -> None:
        setattr(rig.layers, moment, lambda: None)
        raise Killed

    setattr(rig.layers, moment, kill)
    change = rig.database._ledger.change
    calls = []

    def only_once(fn: Any) -> Any:
        calls.append(fn)
        if len(calls) > 1:
            raise Killed
        return change(fn)

    rig.database._ledger.change = only_once
    with pytest.raises(Killed):
        rig.view(lease="l").snapshotter("memory").commit("layer", "active", {"k": "v"})
    rig.reopen()


def test_a_commit_leaves_no_intent(rig: Any) -> None:
    rig.layer("base")
    assert left(rig) == 0


def test_a_crash_before_the_backend_commits_undoes_it(rig: Any) -> None:
    rig.view().leases.create("l")
    rig.view().snapshotter("memory").prepare("active")
    die(rig, "before_commit")
    view = rig.view().snapshotter("memory")
    assert left(rig) == 0
    assert view.stat("active").kind is Kind.ACTIVE
    with pytest.raises(errors.NotFound):
        view.stat("layer")
    view.commit("layer", "active")


def test_a_crash_after_the_backend_committed_finishes_it(rig: Any) -> None:
    rig.view().leases.create("l")
    rig.layer("base")
    rig.view(lease="l").snapshotter("memory").prepare("active", "base")
    die(rig, "after_commit")
    view = rig.view().snapshotter("memory")
    assert left(rig) == 0
    layer = view.stat("layer")
    assert (layer.kind, layer.parent, layer.labels) == (Kind.COMMITTED, "base", {"k": "v"})
    with pytest.raises(errors.NotFound):
        view.stat("active")
    assert rig.view().leases.resources("l") == [Resource("layer", "snapshots/memory")]
    assert rig.exchange.topics[-1] == "/snapshot/commit"


def test_a_commit_whose_parent_went_is_forgotten(rig: Any) -> None:
    rig.layer("base")
    rig.view().leases.create("l")
    rig.view(lease="l").snapshotter("memory").prepare("active", "base")
    die(rig, "after_commit")
    rig.database._ledger.change(lambda change: change.delete(rows.SNAPSHOTS, "default", "memory", "base"))
    view = rig.view().snapshotter("memory")
    assert left(rig) == 0
    with pytest.raises(errors.NotFound):
        view.stat("layer")
    rig.view().leases.delete("l")
    rig.database.collect()
    assert rig.layers.infos == {}


def test_a_backend_that_refuses_changes_nothing(rig: Any) -> None:
    view = rig.view().snapshotter("memory")
    view.view("look")
    with pytest.raises(errors.FailedPrecondition, match="is not active"):
        view.commit("layer", "look")
    assert left(rig) == 0
    assert view.stat("look").kind is Kind.VIEW
    with pytest.raises(errors.NotFound):
        view.stat("layer")
    with pytest.raises(errors.NotFound, match="snapshot none does not exist"):
        view.commit("layer", "none")


def test_two_that_commit_one_name(rig: Any) -> None:
    """As two clients do that pull images with a common layer: one wins, the other keeps its active snapshot."""
    view = rig.view().snapshotter("memory")
    keys = [f"active-{number}" for number in range(6)]
    for key in keys:
        view.prepare(key)
    outcomes: list[str] = []

    def commit(key: str) -> None:
        try:
            view.commit("layer", key)
            outcomes.append("committed")
        except errors.AlreadyExists:
            outcomes.append("exists")

    threads = [threading.Thread(target=commit, args=(key,)) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(outcomes) == ["committed"] + ["exists"] * 5
    assert sum(info.kind is Kind.ACTIVE for info in view.walk()) == 5
    assert sum(info.kind is Kind.COMMITTED for info in rig.layers.infos.values()) == 1


def test_removing_a_key_waits_for_its_commit(rig: Any) -> None:
    view = rig.view().snapshotter("memory")
    view.prepare("active")
    inside, go = threading.Event(), threading.Event()

    def stall() -> None:
        inside.set()
        go.wait(20)

    rig.layers.before_commit = stall
    failures: list[str] = []

    def remove() -> None:
        try:
            view.remove("active")
        except errors.NotFound as error:
            failures.append(str(error))

    committer = threading.Thread(target=view.commit, args=("layer", "active"))
    remover = threading.Thread(target=remove)
    committer.start()
    assert inside.wait(20)
    remover.start()
    assert view.stat("active").kind is Kind.ACTIVE
    go.set()
    committer.join(20)
    remover.join(20)
    assert failures == ["snapshot active does not exist: not found"]
    assert view.stat("layer").kind is Kind.COMMITTED


def test_a_collection_during_a_commit_keeps_both_sides(rig: Any) -> None:
    rig.view().leases.create("l")
    rig.layer("base", lease="l")
    view = rig.view(lease="l").snapshotter("memory")
    view.prepare("active", "base")
    rig.view().leases.delete("l")
    rig.view().leases.create("l")
    marked: list[Any] = []
    rig.layers.before_commit = lambda: marked.append(rig.database._sweep(rig.database._mark()))
    view.commit("layer", "active")
    assert marked[0][0] == []
    assert view.stat("layer").parent == "base"
