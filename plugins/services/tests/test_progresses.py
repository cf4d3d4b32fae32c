"""Progress as clients read it."""

from __future__ import annotations

import asyncio
from typing import Any

from moorage_api.convert import typeurls
from moorage_sdk.descriptors import OCI_MANIFEST, Descriptor
from moorage_sdk.transfers import Progress
from moorage_services.progresses import report_to, to_message
from moorage_services.streams import MAX_QUEUED, Stream

TARGET = Descriptor(OCI_MANIFEST, "sha256:" + "a" * 64, 7, {"k": "v"})


def test_a_message_without_a_descriptor_has_none() -> None:
    assert not to_message(Progress("x")).HasField("desc")


def test_a_message_has_all_that_is_known() -> None:
    message = to_message(Progress("saved", "x", ("p", "q"), 1, 2, TARGET))
    assert (message.event, message.name, list(message.parents)) == ("saved", "x", ["p", "q"])
    assert (message.progress, message.total, message.desc.digest) == (1, 2, TARGET.digest)
    assert (message.desc.media_type, message.desc.size, dict(message.desc.annotations)) == (OCI_MANIFEST, 7, {"k": "v"})


def test_who_does_not_read_misses_lines_and_no_stream_is_no_error() -> None:
    async def main() -> None:
        stream = Stream(asyncio.get_running_loop())
        report = report_to(stream)
        for number in range(MAX_QUEUED + 10):
            report(Progress("line", progress=number))
        message: Any = typeurls.unpack(await anext(stream.outgoing()))
        assert (message.event, message.progress) == ("line", 0)

    asyncio.run(main())
    report_to(None)(Progress("unheard"))
