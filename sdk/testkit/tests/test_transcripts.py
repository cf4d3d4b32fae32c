"""Transcripts: what counts in an answer is kept, and what a daemon makes up is not."""

from __future__ import annotations

import datetime

import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.timestamp_pb2 import Timestamp

from moorage_api.convert import typeurls
from moorage_api.messages import containers, events, images, leases, tasks, types
from moorage_sdk import digests, errors
from moorage_testkit.transcripts import (
    Difference,
    Known,
    Step,
    Transcript,
    differences,
    ending,
    needed,
    subject,
    unexplained,
)


def lines(*messages: object) -> list[dict[str, object]]:
    transcript = Transcript({"/var/root": "<root>"})
    for message in messages:
        transcript.answered("x", message)  # type: ignore[arg-type]  # any message
    return [dict(step.leaves) for step in transcript.steps]


def test_all_fields_stand_by_their_paths() -> None:
    container = containers.Container(id="c", labels={"a.b": "1"}, runtime=containers.Container.Runtime(name="r"))
    container.extensions["k"].CopyFrom(typeurls.pack(events.TaskStart(container_id="x", pid=7)))
    container.spec.CopyFrom(Any(type_url="unknown", value=b"\x00"))
    container.extensions["raw"].CopyFrom(Any(type_url="t", value=bytes(300)))
    (got,) = lines(containers.ListContainersResponse(containers=[container]))
    assert got == {
        "verdict": "OK",
        "containers[0].id": "c",
        "containers[0].labels.a.b": "1",
        "containers[0].runtime.name": "r",
        "containers[0].spec.type_url": "unknown",
        "containers[0].spec.value": repr(b"\x00"),
        "containers[0].extensions.k.type_url": "containerd.events.TaskStart",
        "containers[0].extensions.k.container_id": "x",
        "containers[0].extensions.k.pid": "pid 1",
        "containers[0].extensions.raw.type_url": "t",
        "containers[0].extensions.raw.value": f"300 bytes, {digests.of(bytes(300))}",
    }


def test_times_and_pids_count_by_being_the_same() -> None:
    early, late = Timestamp(seconds=5), Timestamp(seconds=6)
    first, second = lines(
        images.Image(created_at=early, updated_at=early), images.Image(created_at=early, updated_at=late)
    )
    assert (first["created_at"], first["updated_at"]) == ("time 1", "time 1")
    assert (second["created_at"], second["updated_at"]) == ("time 1", "time 2")
    assert [each["pid"] for each in lines(*(tasks.StartResponse(pid=pid) for pid in (9, 8, 9)))] == [
        "pid 1",
        "pid 2",
        "pid 1",
    ]


def test_what_a_daemon_makes_up_is_named_by_its_order() -> None:
    ids = [leases.Lease(id=id) for id in ("123456789-aB_-", "mine", "987654321-xxxx", "123456789-aB_-")]
    assert [each["id"] for each in lines(*ids)] == ["<made 1>", "mine", "<made 2>", "<made 1>"]
    mount = types.Mount(source="/var/root/x", options=["lowerdir=/var/root/snapshots/12/fs:/var/root/snapshots/3/fs"])
    (got,) = lines(mount)
    assert got["source"] == "<root>/x"
    assert got["options[0]"] == "lowerdir=<root>/<snapshot 1>/fs:<root>/<snapshot 2>/fs"


def test_gos_zero_time_is_none() -> None:
    assert lines(images.Image(created_at=Timestamp(seconds=-62135596800)))[0] == {"verdict": "OK"}


def test_streams_count_their_messages() -> None:
    transcript = Transcript()
    transcript.answered("none")
    transcript.answered("two", types.Mount(type="a"), types.Mount(type="b"))
    assert [dict(step.leaves) for step in transcript.steps] == [
        {"verdict": "OK", "messages": 0},
        {"verdict": "OK", "messages": 2, "[0].type": "a", "[1].type": "b"},
    ]


def test_events_are_noted() -> None:
    transcript = Transcript()
    transcript.noted("event", types.Envelope(namespace="n"))
    transcript.said("other", more=True)
    assert transcript.steps == [Step("event", {"namespace": "n"}), Step("other", {"more": True})]


@pytest.mark.parametrize(
    ("message", "words", "quoted"),
    [
        ('image "x": not found', "not found", "x"),
        ("first message must have a reference", "", ""),
        ('get "a\\"b": why: already exists', "already exists", 'a\\"b'),
        ("reference : not found", "not found", ""),
    ],
)
def test_messages(message: str, words: str, quoted: str) -> None:
    assert (ending(message), subject(message)) == (words, quoted)


def test_backends_number_their_keys_as_they_like() -> None:
    (theirs,), (ours,) = (refusal(errors.NotFound(f'snapshot "ns/{number}/key": not found')) for number in (7, 1234))
    assert theirs == ours
    assert theirs.leaves["subject"] == "ns/<number>/key"


def refusal(error: errors.Error) -> list[Step]:
    transcript = Transcript()
    transcript.refused("x", error)
    return transcript.steps


@pytest.mark.parametrize(
    ("theirs", "ours", "paths"),
    [
        (errors.NotFound('"x": not found'), errors.NotFound('"x": not found'), []),
        (errors.NotFound('"x": not found'), errors.NotFound('thing "y" of "x": not found'), []),
        (errors.NotFound('"x": not found'), errors.NotFound('"y": not found'), ["subject"]),
        (errors.NotFound('"x": not found'), errors.NotFound('"x" is not there'), ["ending"]),
        (errors.NotFound("not there"), errors.NotFound('"x": not found'), []),
        (errors.NotFound("x: not found"), errors.Internal("x: not found"), ["verdict"]),
        (errors.Error("whatever"), errors.InvalidArgument("x"), []),
    ],
)
def test_of_an_error_counts_what_they_say(theirs: errors.Error, ours: errors.Error, paths: list[str]) -> None:
    assert [each.path for each in differences(refusal(theirs), refusal(ours))] == paths


def test_an_answer_is_no_error() -> None:
    transcript = Transcript()
    transcript.answered("x", types.Mount(type="a"))
    (found,) = differences(transcript.steps, refusal(errors.Error("oh")))
    assert (found.path, found.theirs, found.ours) == ("verdict", "OK", "Error")
    assert "oh" in str(found)
    (found,) = differences(refusal(errors.Error("oh")), transcript.steps)
    assert (found.path, found.theirs, found.ours) == ("verdict", "Error", "OK")


def test_steps_are_compared_in_order() -> None:
    one, two = Step("a", {"v": 1, "w": 1}), Step("b", {})
    assert differences([one, two], [one, two]) == []
    assert differences([one], [Step("a", {"v": 2})]) == [
        Difference("a", "v", "1", "2"),
        Difference("a", "w", "1", "-"),
    ]
    assert differences([one, two], [one]) == [Difference("b", "step", "b", "-")]
    assert differences([two], [one]) == [Difference("b", "step", "b", "a")]


def test_the_table_explains_and_is_not_longer_than_it_must_be() -> None:
    known = Known("scene", "Get(*)", "image.*", "-", "*", "1.*", "newer")
    covered, other = Difference("Get(x)", "image.name", "-", "n"), Difference("Get(x)", "image.name", "m", "n")
    assert unexplained([covered, other], [known]) == [other]
    assert needed([covered, other], [known]) == {known}
    assert needed([other], [known]) == set()


def test_a_time_in_words_is_now_or_what_was_asked_for() -> None:
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    transcript = Transcript()
    said = {"expire": now, "asked": "2001-02-03T04:05:06Z", "no": "2026-99"}
    transcript.noted("it", images.Image(name="x", labels=said))
    assert transcript.steps[0].leaves == {
        "name": "x",
        "labels.asked": "2001-02-03T04:05:06Z",
        "labels.expire": "<now>",
        "labels.no": "2026-99",
    }
