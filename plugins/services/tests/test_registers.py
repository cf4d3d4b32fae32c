"""The register of streams, and its part in garbage collection."""

from __future__ import annotations

import asyncio

import pytest

from moorage_sdk import errors
from moorage_services.registers import Streams
from moorage_services.streams import Stream


def made(lease: str = "") -> Stream:
    async def main() -> Stream:
        return Stream(asyncio.get_running_loop(), lease)

    return asyncio.run(main())


def test_names_belong_to_a_namespace_and_are_free_again() -> None:
    streams, stream = Streams(), made()
    item = streams.register("ns", "a", stream)
    streams.register("other", "a", made())
    assert streams.get("ns", "a") is stream
    with pytest.raises(errors.AlreadyExists):
        streams.register("ns", "a", made())
    with pytest.raises(errors.InvalidArgument):
        streams.register("ns", "", made())
    streams.forget(item)
    with pytest.raises(errors.NotFound, match='stream "a" in namespace "ns": not found'):
        streams.get("ns", "a")
    again = made()
    streams.register("ns", "a", again)
    streams.forget(item)  # it is another's by now
    assert streams.get("ns", "a") is again


def test_only_streams_under_a_lease_can_be_collected() -> None:
    streams = Streams()
    streams.register("ns", "free", made())
    leased = streams.register("ns", "leased", made("l"))
    assert streams.kind == "stream"
    assert list(streams.all()) == [leased]
    assert (leased.namespace, leased.name, leased.lease) == ("ns", "leased", "l")


def test_what_is_condemned_is_gone_for_all_but_its_removal() -> None:
    streams, stream = Streams(), made("l")
    item = streams.register("ns", "a", stream)
    streams.condemn([item])
    streams.condemn([item])
    assert streams.all() == []
    later = streams.register("ns", "a", made("l"))
    assert later != item
    streams.condemn([item])
    streams.remove(item)
    with pytest.raises(errors.Aborted):
        stream.receive()
    assert list(streams.all()) == [later]
    streams.forget(item)
    with pytest.raises(errors.NotFound):
        streams.remove(item)
    streams.cleanup()
