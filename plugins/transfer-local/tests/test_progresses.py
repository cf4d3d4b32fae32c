from __future__ import annotations

from moorage_sdk.descriptors import OCI_LAYER_GZIP, OCI_MANIFEST, Descriptor
from moorage_sdk.transfers import Progress
from moorage_transfer_local.progresses import INTERVAL, Tracker

PARENT = Descriptor(OCI_MANIFEST, "sha256:m", 10)
OTHER = Descriptor(OCI_MANIFEST, "sha256:o", 10)
LAYER = Descriptor(OCI_LAYER_GZIP, "sha256:l", 100)


def test_lines_form_a_tree() -> None:
    lines: list[Progress] = []
    tracker = Tracker("image", lines.append)
    tracker.say("Resolving")
    tracker.wanted(PARENT)
    tracker.children(PARENT, [LAYER])
    tracker.wanted(LAYER)
    tracker.complete(LAYER)
    assert lines == [
        Progress("Resolving"),
        Progress("waiting", "manifest-sha256:m", ("image",), 0, 10, PARENT),
        Progress("waiting", "layer-sha256:l", ("manifest-sha256:m",), 0, 100, LAYER),
        Progress("complete", "layer-sha256:l", ("manifest-sha256:m",), 100, 100, LAYER),
    ]


def test_a_blob_in_two_manifests_waits_once_and_has_two_parents() -> None:
    lines: list[Progress] = []
    tracker = Tracker("image", lines.append)
    for parent in (PARENT, OTHER, PARENT):
        tracker.children(parent, [LAYER])
        tracker.wanted(LAYER)
    tracker.complete(LAYER)
    assert [line.event for line in lines] == ["waiting", "complete"]
    assert lines[-1].parents == ("manifest-sha256:m", "manifest-sha256:o")


def test_what_is_there_already_is_told_without_its_place() -> None:
    lines: list[Progress] = []
    tracker = Tracker("image", lines.append)
    tracker.children(PARENT, [LAYER])
    tracker.exists(LAYER)
    assert lines == [Progress("already exists", "layer-sha256:l", (), 100, 100, LAYER)]


def test_what_is_listed_but_not_wanted_is_not_told_of() -> None:
    lines: list[Progress] = []
    Tracker("image", lines.append).children(PARENT, [LAYER, OTHER])
    assert lines == []


def test_advance_is_told_now_and_then() -> None:
    lines: list[Progress] = []
    now = [0.0]
    tracker = Tracker("image", lines.append, lambda: now[0])
    for offset in range(100):
        tracker.downloaded(LAYER, offset)
        now[0] += INTERVAL / 10
    assert 9 <= len(lines) <= 11
    assert {line.event for line in lines} == {"downloading"}


def test_bytes_that_are_sent_again_are_not_told_again() -> None:
    lines: list[Progress] = []
    now = [0.0]
    tracker = Tracker("image", lines.append, lambda: now[0])
    for offset in (10, 40, 0, 20, 40, 50):
        now[0] += INTERVAL
        tracker.uploaded(LAYER, offset)
    assert [(line.event, line.progress) for line in lines] == [("uploading", offset) for offset in (10, 40, 50)]
