"""Snapshots, ``moorage_sdk.snapshots.Info``."""

from __future__ import annotations

from moorage_api.convert import timestamps
from moorage_api.messages import snapshots
from moorage_sdk.snapshots import Info, Kind


def from_message(message: snapshots.Info) -> Info:
    """The value; a kind that nobody knows is UNKNOWN. Stores set kind and times themselves."""
    known = message.kind in Kind._value2member_map_
    return Info(
        kind=Kind(message.kind) if known else Kind.UNKNOWN,
        name=message.name,
        parent=message.parent,
        labels=dict(message.labels),
        created_at=timestamps.from_message(message.created_at),
        updated_at=timestamps.from_message(message.updated_at),
    )


def to_message(info: Info) -> snapshots.Info:
    """The message."""
    return snapshots.Info(
        name=info.name,
        parent=info.parent,
        kind=int(info.kind),
        created_at=timestamps.to_message(info.created_at),
        updated_at=timestamps.to_message(info.updated_at),
        labels=info.labels,
    )
