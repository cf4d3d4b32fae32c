from dataclasses import replace
from typing import Any

import pytest

from moorage_api.messages import events as messages
from moorage_sdk import errors
from moorage_sdk.leases import Resource
from moorage_sdk.snapshots import Info, Kind, Usage

REF = "containerd.io/snapshot.ref"
INHERITED = "containerd.io/snapshot/x"


@pytest.fixture
def view(rig: Any) -> Any:
    return rig.view().snapshotter("memory")


def test_backends_see_keys_that_are_never_used_twice(rig: Any, view: Any) -> None:
    for _ in range(2):
        view.prepare("extract/1")
        view.remove("extract/1")
    rig.view("other").snapshotter("memory").view("extract/1")
    keys = sorted(rig.layers.infos)
    assert len(keys) == 3
    assert {(key.split("/", 2)[0], key.split("/", 2)[2]) for key in keys} == {
        ("default", "extract/1"),
        ("other", "extract/1"),
    }


def test_a_layer_is_prepared_committed_and_used(rig: Any, view: Any) -> None:
    mounts = view.prepare("active", labels={INHERITED: "1", "mine": "2", "gone": ""})
    assert mounts == view.mounts("active")
    view.commit("layer", "active", {"mine": "3"})
    with pytest.raises(errors.NotFound, match=r"^snapshot active does not exist: not found$"):
        view.stat("active")
    layer = view.stat("layer")
    assert (layer.kind, layer.name, layer.parent, layer.labels) == (Kind.COMMITTED, "layer", "", {"mine": "3"})
    view.prepare("web", "layer")
    view.view("look", "layer")
    assert view.stat("web").parent == "layer"
    assert view.stat("look").kind is Kind.VIEW
    assert [info.name for info in view.walk()] == ["layer", "look", "web"]
    assert view.usage("layer") == Usage(len(next(key for key in rig.layers.infos if key.endswith("/layer"))), 1)
    with pytest.raises(errors.FailedPrecondition):
        view.mounts("layer")
    view.close()
    assert view.stat("web").name == "web"


def test_namespaces_do_not_see_each_other(rig: Any, view: Any) -> None:
    view.prepare("k")
    other = rig.view("other").snapshotter("memory")
    for call in (other.stat, other.mounts, other.usage, other.remove):
        with pytest.raises(errors.NotFound, match=r"^snapshot k does not exist: not found$"):
            call("k")
    with pytest.raises(errors.NotFound, match=r"^parent snapshot k does not exist: not found$"):
        other.prepare("x", "k")
    assert list(other.walk()) == []


def test_existing_names_are_told_and_leased(rig: Any, view: Any) -> None:
    rig.view().leases.create("l")
    view.prepare("k")
    rig.layer("layer")
    leased = rig.view(lease="l").snapshotter("memory")
    for call in (leased.prepare, leased.view):
        with pytest.raises(errors.AlreadyExists, match=r'^snapshot "k": already exists$'):
            call("k")
    with pytest.raises(errors.AlreadyExists, match=r'^target snapshot "layer": already exists$'):
        leased.prepare("new", labels={REF: "layer"})
    assert rig.view().leases.resources("l") == [
        Resource("k", "snapshots/memory"),
        Resource("layer", "snapshots/memory"),
    ]
    assert len(rig.layers.infos) == 2


def test_commit_moves_the_lease_to_the_name(rig: Any) -> None:
    rig.view().leases.create("l")
    leased = rig.view(lease="l").snapshotter("memory")
    leased.prepare("active")
    leased.commit("layer", "active")
    assert rig.view().leases.resources("l") == [Resource("layer", "snapshots/memory")]
    leased.remove("layer")
    assert rig.view().leases.resources("l") == []


def test_only_inherited_labels_reach_the_backend(rig: Any, view: Any) -> None:
    view.prepare("k", labels={INHERITED: "1", "mine": "2"})
    assert next(iter(rig.layers.infos.values())).labels == {INHERITED: "1"}
    updated = view.update(Info(Kind.UNKNOWN, "k", labels={INHERITED: "3", "mine": "4"}), ["labels"])
    assert updated.labels == {INHERITED: "3", "mine": "4"}
    assert next(iter(rig.layers.infos.values())).labels == {INHERITED: "3"}
    again = view.update(Info(Kind.UNKNOWN, "k", labels={"new": "5"}), ["labels.new", "labels.mine"])
    assert again.labels == {INHERITED: "3", "new": "5"}
    assert again.updated_at > updated.updated_at
    assert (again.kind, again.created_at) == (Kind.ACTIVE, updated.created_at)
    assert view.update(Info(Kind.UNKNOWN, "k")).labels == {}
    with pytest.raises(errors.InvalidArgument, match='cannot update "kind" field on snapshot "k"'):
        view.update(Info(Kind.UNKNOWN, "k"), ["kind"])
    with pytest.raises(errors.NotFound):
        view.update(Info(Kind.UNKNOWN, "none"))
    with pytest.raises(errors.InvalidArgument, match="maximum size"):
        view.update(Info(Kind.UNKNOWN, "k", labels={"k": "v" * 5000}))


def test_snapshots_with_children_stay(view: Any, rig: Any) -> None:
    rig.layer("base")
    rig.layer("top", "base")
    view.prepare("web", "top")
    for name in ("base", "top"):
        with pytest.raises(errors.FailedPrecondition, match="cannot remove snapshot with child: failed"):
            view.remove(name)
    for name in ("web", "top", "base"):
        view.remove(name)
    with pytest.raises(errors.NotFound):
        view.remove("base")


@pytest.mark.parametrize("key", ["", "k"])
def test_names_must_not_be_empty(view: Any, key: str) -> None:
    for call in (view.prepare, view.view):
        with pytest.raises(errors.InvalidArgument):
            call(key, labels={"k": "v" * 5000})
    with pytest.raises(errors.InvalidArgument):
        view.commit("", key)
    with pytest.raises(errors.InvalidArgument):
        view.update(Info(Kind.UNKNOWN, ""))


def test_a_target_that_the_backend_has_is_adopted(rig: Any, view: Any) -> None:
    rig.view().leases.create("l")
    rig.layers.remote["chain"] = Info(Kind.COMMITTED, "", "", {REF: "chain", INHERITED: "b"}, 5, 6)
    with pytest.raises(errors.AlreadyExists, match=r'^target snapshot "chain" from snapshotter: already exists$'):
        rig.view(lease="l").snapshotter("memory").prepare("extract", labels={REF: "chain", "mine": "m"})
    adopted = view.stat("chain")
    assert (adopted.kind, adopted.parent, adopted.created_at) == (Kind.COMMITTED, "", 5)
    assert adopted.labels == {REF: "chain", INHERITED: "b", "mine": "m"}
    assert rig.view().leases.resources("l") == [Resource("chain", "snapshots/memory")]
    with pytest.raises(errors.NotFound):
        view.stat("extract")
    with pytest.raises(errors.AlreadyExists, match=r'^target snapshot "chain": already exists$'):
        view.prepare("extract-2", labels={REF: "chain"})
    view.prepare("web", "chain")
    assert "/snapshot/prepare" not in rig.exchange.topics[:-1]


def test_a_target_with_another_parent_is_not_adopted(rig: Any, view: Any) -> None:
    rig.layers.remote["chain"] = Info(Kind.COMMITTED, "", "elsewhere", {REF: "chain"}, 5, 6)
    with pytest.raises(errors.NotFound, match=r'^target snapshot "chain" in backend: not found$'):
        view.prepare("extract", labels={REF: "chain"})


def test_a_backend_that_knows_a_new_key_is_not_believed(rig: Any, view: Any) -> None:
    rig.layers.remote[""] = Info(Kind.COMMITTED, "", "", {}, 5, 6)
    with pytest.raises(errors.Error, match="unexpected error from snapshotter") as caught:
        view.prepare("k")
    assert type(caught.value) is errors.Error


def test_what_cannot_be_recorded_is_taken_back(rig: Any, view: Any) -> None:
    rig.layer("base")
    original = rig.layers.prepare

    def lose_the_parent(key: str, parent: str = "", labels: Any = None) -> Any:
        mounts = original(key, parent, labels)
        from moorage_metadata_lmdb import rows

        rig.database._ledger.change(lambda change: change.delete(rows.SNAPSHOTS, "default", "memory", "base"))
        return mounts

    rig.layers.prepare = lose_the_parent
    with pytest.raises(errors.NotFound, match="parent snapshot base does not exist"):
        view.prepare("web", "base")
    assert [info.kind for info in rig.layers.infos.values()] == [Kind.COMMITTED]


@pytest.mark.parametrize("kind", [errors.Unavailable, errors.Cancelled, errors.DeadlineExceeded])
def test_what_a_backend_may_have_made_before_it_was_lost_is_collected(
    rig: Any, view: Any, kind: type[errors.Error], monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.database.collect()
    prepare = rig.layers.prepare

    def lost(*arguments: Any) -> Any:
        prepare(*arguments)
        raise kind("peer: gone")

    monkeypatch.setattr(rig.layers, "prepare", lost)
    with pytest.raises(kind):
        view.prepare("web")
    assert [key.rpartition("/")[2] for key in rig.layers.infos] == ["web"]
    rig.database.collect()
    assert rig.layers.infos == {}


def test_the_second_of_two_that_prepare_a_key_gives_way(rig: Any, view: Any) -> None:
    original = rig.layers.prepare

    def somebody_else_first(key: str, parent: str = "", labels: Any = None) -> Any:
        rig.layers.prepare = original
        view.prepare("k")
        return original(key, parent, labels)

    rig.layers.prepare = somebody_else_first
    with pytest.raises(errors.AlreadyExists, match=r'^snapshot "k": already exists$'):
        view.prepare("k")
    assert len(rig.layers.infos) == 1
    assert view.mounts("k")


def test_entries_that_the_backend_lost_are_skipped(rig: Any, view: Any) -> None:
    for key in ("a", "b"):
        view.prepare(key)
    rig.layers.infos = {key: info for key, info in rig.layers.infos.items() if not key.endswith("/a")}
    assert [info.name for info in view.walk()] == ["b"]
    with pytest.raises(errors.NotFound):
        view.stat("a")
    view.remove("a")


def test_other_calls_are_allowed_while_walking(rig: Any, view: Any) -> None:
    for number in range(5):
        view.prepare(f"k{number}")
    for info in view.walk():
        assert view.stat(info.name) == info
        view.remove(info.name)
    assert list(view.walk()) == []


def test_rebase_gives_a_parent_at_commit(rig: Any, view: Any) -> None:
    rig.layer("base")
    view.prepare("active")
    view.commit("top", "active", parent="base")
    assert view.stat("top").parent == "base"
    key = next(key for key in rig.layers.infos if key.endswith("/top"))
    assert rig.layers.infos[key].parent.endswith("/base")
    view.prepare("second")
    with pytest.raises(errors.NotFound, match="parent snapshot none does not exist"):
        view.commit("third", "second", parent="none")
    assert view.stat("second").kind is Kind.ACTIVE


def test_a_parent_that_is_there_already_wins(rig: Any, view: Any) -> None:
    rig.layer("base")
    rig.layer("other")
    view.prepare("active", "base")
    view.commit("top", "active", parent="other")
    assert view.stat("top").parent == "base"


def test_events(rig: Any, view: Any) -> None:
    view.prepare("active")
    view.view("look")
    view.commit("layer", "active")
    view.remove("layer")
    assert rig.exchange.topics == ["/snapshot/prepare", "/snapshot/commit", "/snapshot/remove"]
    event = messages.SnapshotCommit.FromString(rig.exchange.envelopes[1].event.value)
    assert (event.key, event.name, event.snapshotter) == ("active", "layer", "memory")


def test_keys_have_no_limit(rig: Any, view: Any) -> None:
    names = ["p" * 3000 + "x", "p" * 3000 + "a", "p" * 3000]
    for name in names:
        rig.layer(name)
    view.prepare("q" * 5000, names[0])
    assert [info.name for info in view.walk()] == [*sorted(names), "q" * 5000]
    with pytest.raises(errors.FailedPrecondition):
        view.remove(names[0])
    view.remove(names[1])
    assert replace(view.stat(names[0]), labels={}).parent == ""
