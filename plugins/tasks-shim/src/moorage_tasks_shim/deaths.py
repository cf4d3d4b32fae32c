"""The events that a dead shim can no longer send (cleanupAfterDeadShim in core/runtime/v2/shim.go)."""

from __future__ import annotations

from google.protobuf.message import Message

from moorage_api.convert import timestamps
from moorage_api.messages import events
from moorage_sdk.events import Exchange, Payload
from moorage_sdk.tasks import Exit

EXIT = "/tasks/exit"
DELETE = "/tasks/delete"
"""Topics of core/runtime/events.go."""


def announce(exchange: Exchange, namespace: str, id: str, exited: Exit) -> None:
    """Tell that the task has ended and is gone."""
    at = timestamps.to_message(exited.exited_at)
    _publish(
        exchange,
        namespace,
        EXIT,
        events.TaskExit(container_id=id, id=id, pid=exited.pid, exit_status=exited.status, exited_at=at),
    )
    _publish(
        exchange,
        namespace,
        DELETE,
        events.TaskDelete(container_id=id, pid=exited.pid, exit_status=exited.status, exited_at=at),
    )


def _publish(exchange: Exchange, namespace: str, topic: str, event: Message) -> None:
    exchange.publish(namespace, topic, Payload(event.DESCRIPTOR.full_name, event.SerializeToString()))
