"""Blobs and ingests between values and messages."""

from __future__ import annotations

from moorage_api.convert import timestamps
from moorage_api.messages import content
from moorage_sdk.content import Info, Status


def info_from_message(message: content.Info) -> Info:
    """A blob, as a store tells of it."""
    return Info(
        digest=message.digest,
        size=message.size,
        created_at=timestamps.from_message(message.created_at),
        updated_at=timestamps.from_message(message.updated_at),
        labels=dict(message.labels),
    )


def info_to_message(info: Info) -> content.Info:
    """A blob for a client."""
    return content.Info(
        digest=info.digest,
        size=info.size,
        created_at=timestamps.to_message(info.created_at),
        updated_at=timestamps.to_message(info.updated_at),
        labels=info.labels,
    )


def status_from_message(message: content.Status) -> Status:
    """An ingest, as a store tells of it."""
    return Status(
        ref=message.ref,
        offset=message.offset,
        total=message.total,
        expected=message.expected,
        started_at=timestamps.from_message(message.started_at),
        updated_at=timestamps.from_message(message.updated_at),
    )


def status_to_message(status: Status) -> content.Status:
    """An ingest for a client."""
    return content.Status(
        ref=status.ref,
        offset=status.offset,
        total=status.total,
        expected=status.expected,
        started_at=timestamps.to_message(status.started_at),
        updated_at=timestamps.to_message(status.updated_at),
    )
