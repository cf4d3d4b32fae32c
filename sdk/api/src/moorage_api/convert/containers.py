"""Container records, ``moorage_sdk.containers.Container``."""

from __future__ import annotations

from moorage_api.convert import payloads, timestamps
from moorage_api.messages import containers
from moorage_sdk.containers import Container, Runtime


def from_message(message: containers.Container) -> Container:
    """The value. Stores set the times themselves and do not look at those of a request."""
    return Container(
        id=message.id,
        runtime=Runtime(message.runtime.name, payloads.optional(message.runtime.options)),
        spec=payloads.optional(message.spec),
        image=message.image,
        snapshotter=message.snapshotter,
        snapshot_key=message.snapshot_key,
        sandbox=message.sandbox,
        labels=dict(message.labels),
        extensions=payloads.from_map(message.extensions),
        created_at=timestamps.from_message(message.created_at),
        updated_at=timestamps.from_message(message.updated_at),
    )


def to_message(container: Container) -> containers.Container:
    """The message."""
    return containers.Container(
        id=container.id,
        labels=container.labels,
        image=container.image,
        runtime=containers.Container.Runtime(
            name=container.runtime.name, options=payloads.to_optional(container.runtime.options)
        ),
        spec=payloads.to_optional(container.spec),
        snapshotter=container.snapshotter,
        snapshot_key=container.snapshot_key,
        created_at=timestamps.to_message(container.created_at),
        updated_at=timestamps.to_message(container.updated_at),
        extensions=payloads.to_map(container.extensions),
        sandbox=container.sandbox,
    )
