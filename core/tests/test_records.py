from moorage_core.records import DISABLED, FAILED, OK, Record
from moorage_sdk.slots import Plugin, Slot

A = "io.example.alpha.v1.one"


def test_a_record_that_was_never_imported_still_has_a_status() -> None:
    record = Record(A, "alpha", "one", "moorage-one", DISABLED, "disabled by x")
    status = record.status()
    assert (status.uri, status.state, status.reason) == (A, "disabled", "disabled by x")
    assert (status.distribution, status.requires, record.type) == ("moorage-one", (), "io.example.alpha.v1")


def test_a_record_waiting_shows_as_skipped() -> None:
    assert (Record(A, "alpha", "one").status().state, Record(A, "alpha", "one").status().reason) == (
        "skip",
        "not started yet",
    )


def test_failing_drops_the_instance_and_gives_the_verdict() -> None:
    record = Record(A, "alpha", "one", state=OK, instance=object())
    record.fail("disk full")
    assert (record.state, record.instance) == (FAILED, None)
    assert record.verdict == f'plugin "{A}": failed: disk full'


def test_a_status_is_of_its_moment() -> None:
    slot: Slot[str] = Slot("alpha", "io.example.alpha.v1")
    plugin = Plugin(slot, "one", lambda ctx, config: "x", requires=(Slot("beta", "io.example.beta.v1"),))
    record = Record(A, "alpha", "one", plugin=plugin, state=OK)
    before = record.status()
    record.exports["root"] = "/x"
    record.capabilities.append("rebase")
    record.platforms.append("linux/arm64")
    assert (before.exports, before.capabilities, before.platforms, before.requires) == (
        {},
        (),
        (),
        ("io.example.beta.v1",),
    )
    assert (record.status().exports, record.status().capabilities) == ({"root": "/x"}, ("rebase",))
    assert record.status().platforms == ("linux/arm64",)
