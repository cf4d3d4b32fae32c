"""The adapters against our own daemon; what they are for is tests/conformance."""

import os
from collections.abc import Iterator

import pytest

from moorage_sdk import digests, errors
from moorage_testkit import daemons, remotes
from moorage_testkit.daemons import Daemon
from moorage_testkit.suites.blobs import put, read

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to run a daemon")


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with daemons.directory() as base, Daemon(daemons.moorage(), base) as started:
        yield started


def test_nothing_is_left_in_the_end(daemon: Daemon) -> None:
    for _ in range(2):
        with remotes.connected(daemon.address, "remotes", ["native"]) as remote:
            assert read(remote.content, put(remote.content, b"data")) == b"data"
            unfinished = remote.content.writer("left open")
            unfinished.write(b"some")
            snapshotter = remote.snapshotter("native")
            snapshotter.prepare("a-key")
            snapshotter.commit("a", "a-key")
            snapshotter.prepare("on a", "a")
            assert [info.name for info in snapshotter.walk()] == ["a", "on a"]
    with remotes.connected(daemon.address, "remotes") as remote:
        assert list(remote.content.walk()) == []
        assert remote.content.statuses() == []
        assert list(remote.snapshotter("native").walk()) == []
    blobs = daemon.root / "io.containerd.content.v1.content" / "blobs"
    assert [path for path in blobs.rglob("*") if path.is_file()] == []


def test_a_closed_writer_has_let_go_of_its_reference(daemon: Daemon) -> None:
    with remotes.connected(daemon.address, "remotes") as remote:
        for size in range(20):
            with remote.content.writer("ref") as writer:
                assert writer.status().offset == size
                writer.write(b"x")
        with pytest.raises(errors.FailedPrecondition, match="closed"):
            writer.write(b"late")


def test_a_writer_is_cut_to_nothing_only(daemon: Daemon) -> None:
    with remotes.connected(daemon.address, "remotes") as remote:
        with remote.content.writer("ref") as writer:
            writer.write(b"wrong")
            with pytest.raises(errors.Unimplemented):
                writer.truncate(2)
            writer.truncate(0)
            assert (writer.status().offset, writer.digest()) == (0, digests.of(b""))
