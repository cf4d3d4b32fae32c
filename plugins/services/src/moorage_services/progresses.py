"""Progress of a transfer on a named stream."""

from __future__ import annotations

import logging

from moorage_api.convert import descriptors
from moorage_api.messages import transfer_types
from moorage_sdk import errors
from moorage_sdk.transfers import Progress, Report
from moorage_services.streams import Stream

log = logging.getLogger(__name__)


def report_to(stream: Stream | None) -> Report:
    """Lines of progress to the client. One that does not read misses lines, and the transfer goes on."""

    def report(progress: Progress) -> None:
        if stream is None:
            return
        try:
            stream.send(to_message(progress))
        except (errors.Unavailable, errors.ResourceExhausted) as error:
            log.debug("progress: %s", error)

    return report


def to_message(progress: Progress) -> transfer_types.Progress:
    message = transfer_types.Progress(
        event=progress.event,
        name=progress.name,
        parents=progress.parents,
        progress=progress.progress,
        total=progress.total,
    )
    if progress.descriptor is not None:
        message.desc.CopyFrom(descriptors.to_message(progress.descriptor))
    return message
