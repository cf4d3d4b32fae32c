from __future__ import annotations

import pytest

from moorage_sdk import errors
from moorage_sdk.descriptors import Descriptor
from moorage_sdk.differs import Application
from moorage_transfer_local.feeds import Feed

RESULT = Descriptor("tar", "sha256:diff", 2)


class Scripted(Application):
    def __init__(self, failure: errors.Error | None = None) -> None:
        self.failure, self.data, self.closed = failure, b"", False

    def write(self, data: bytes | memoryview) -> None:
        if self.failure:
            raise self.failure
        self.data += data

    def finish(self) -> Descriptor:
        return RESULT

    def close(self) -> None:
        self.closed = True


def begun(application: Scripted) -> Feed:
    feed = Feed()
    feed.bind(lambda: application)
    feed.begin()
    return feed


def test_a_bound_feed_streams() -> None:
    application = Scripted()
    feed = begun(application)
    feed.write(b"a")
    feed.write(b"b")
    assert feed.finish() == RESULT
    assert (application.data, application.closed, feed.touched) == (b"ab", True, True)
    assert not feed.streaming
    assert feed.finish() is None


@pytest.mark.parametrize("start", [Feed.begin, Feed.skip])
def test_who_binds_too_late_gets_nothing(start) -> None:
    feed = Feed()
    start(feed)
    feed.bind(lambda: pytest.fail("opened"))
    feed.write(b"a")
    assert feed.finish() is None
    assert not feed.touched


def test_skipped_feeds_do_not_open() -> None:
    feed = Feed()
    feed.bind(lambda: pytest.fail("opened"))
    feed.skip()
    assert feed.finish() is None


def test_an_unknown_media_type_is_left_to_whoever_applies() -> None:
    def refuse() -> Application:
        raise errors.Unimplemented("no")

    feed = Feed()
    feed.bind(refuse)
    feed.begin()
    assert feed.finish() is None
    assert not feed.touched


def test_without_an_unpacker_to_spare_nothing_is_streamed() -> None:
    feed = Feed()
    feed.bind(lambda: None)
    feed.begin()
    feed.write(b"a")
    assert not feed.streaming
    assert not feed.touched
    assert feed.finish() is None


@pytest.mark.parametrize("failure", [errors.DataLoss("x"), errors.InvalidArgument("x")])
def test_what_the_unpacker_finds_is_told_when_the_bytes_were_right(failure: errors.Error) -> None:
    application = Scripted(failure)
    feed = begun(application)
    feed.write(b"a")
    feed.write(b"b")
    with pytest.raises(type(failure)):
        feed.finish()
    assert application.closed


def test_what_the_unpacker_finds_in_wrong_bytes_is_forgotten() -> None:
    application = Scripted(errors.DataLoss("x"))
    feed = begun(application)
    feed.write(b"a")
    feed.spoil()
    assert application.closed
    assert feed.finish() is None
    assert feed.touched


def test_a_full_disk_is_told_at_once() -> None:
    feed = begun(Scripted(errors.ResourceExhausted("x")))
    with pytest.raises(errors.ResourceExhausted):
        feed.write(b"a")


def test_closing_stops_the_unpacker_once() -> None:
    application = Scripted()
    feed = begun(application)
    feed.close()
    feed.close()
    assert application.closed
