import threading
from typing import Any

from moorage_metadata_lmdb import removals
from moorage_sdk import digests, errors
from moorage_sdk.snapshots import Info, Kind

DIGEST = digests.of(b"x")


def orphan(rig: Any, name: str, parent: str = "") -> None:
    rig.layers.infos[name] = Info(Kind.COMMITTED, name, parent)


def run(rig: Any) -> removals.Report:
    report = removals.Report()
    removals.content(rig.database._ledger, rig.database._blobs, report)
    removals.snapshots(rig.database._ledger, rig.database.layers("memory"), report)
    return report


def test_what_a_row_knows_stays(rig: Any) -> None:
    rig.put(b"x")
    rig.layer("base")
    rig.view().snapshotter("memory").prepare("web", "base")
    rig.view().content.writer("ref").close()
    assert run(rig) == removals.Report()
    assert rig.layers.cleanups == 1


def test_what_no_row_knows_goes_children_first(rig: Any) -> None:
    rig.layer("base")
    base = next(iter(rig.layers.infos))
    for name, parent in (("a", base), ("c", "b"), ("b", "a"), ("z", "")):
        orphan(rig, name, parent)
    with rig.content.writer("stray") as writer:
        writer.write(b"half")
    with rig.content.writer("whole") as writer:
        writer.write(b"x")
        writer.commit()
    report = run(rig)
    assert report.failures == []
    removed = [str(each) for each in report.removed]
    assert removed[:2] == [f"blob {DIGEST}", "ingest stray"]
    assert [each for each in removed[2:] if not each.endswith(" z")] == [
        "snapshot memory c",
        "snapshot memory b",
        "snapshot memory a",
    ]
    assert list(rig.layers.infos) == [base]


def test_one_that_fails_never_stops_the_rest(rig: Any) -> None:
    for number in range(40):
        orphan(rig, f"s{number:02}")
    rig.layers.broken = {"s05", "s30"}
    with rig.content.writer("open") as writer:
        writer.write(b"half")
        report = run(rig)
    assert sorted(rig.layers.infos) == ["s05", "s30"]
    assert len(report.removed) == 38
    assert [failure.partition(":")[0] for failure in report.failures] == [
        "ingest open",
        "snapshot memory s05",
        "snapshot memory s30",
    ]


def test_what_goes_by_itself_is_no_failure(rig: Any) -> None:
    orphan(rig, "a")

    def vanish(key: str) -> None:
        raise errors.NotFound("gone")

    rig.layers.remove = vanish
    assert run(rig) == removals.Report()


def test_a_name_given_at_the_last_moment_saves_the_blob(rig: Any) -> None:
    """Between listing and removing, another namespace adopts the blob."""
    with rig.content.writer("whole") as writer:
        writer.write(b"x")
        writer.commit()
    original = rig.content.statuses

    def adopt() -> Any:
        with rig.view("late").content.writer("ref", expected=DIGEST) as writer:
            writer.commit()
        return original()

    rig.content.statuses = adopt
    assert run(rig).removed == []
    assert DIGEST in rig.content.blobs


def test_who_prepares_waits_for_a_few_removals_only(rig: Any) -> None:
    for number in range(64):
        orphan(rig, f"s{number:02}")
    entered, original = threading.Event(), rig.layers.remove
    order: list[str] = []

    def remove(key: str) -> None:
        entered.set()
        threading.Event().wait(0.002)
        original(key)
        order.append(key)

    rig.layers.remove = remove
    collector = threading.Thread(target=run, args=(rig,))
    collector.start()
    assert entered.wait(10)
    rig.view().snapshotter("memory").prepare("web")
    order.append("prepared")
    collector.join(20)
    assert order.index("prepared") < 60
    assert len(order) == 65


def test_cleanup_that_fails_is_reported(rig: Any) -> None:
    def broken() -> None:
        raise OSError("disk")

    def absent() -> None:
        raise errors.Unimplemented("no cleanup")

    rig.layers.cleanup = broken
    assert run(rig).failures == ["cleanup memory: disk"]
    rig.layers.cleanup = absent
    assert run(rig).failures == []


def test_a_cycle_of_parents_does_not_hang() -> None:
    assert sorted(removals.deepest_first({"a": "b", "b": "a", "c": "a"})) == ["a", "b", "c"]
    assert removals.deepest_first({"a": "", "b": "a", "c": "b", "d": "a"})[0] == "c"
