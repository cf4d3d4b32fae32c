"""Sandboxes: records, ``moorage_sdk.sandboxes.Sandbox``, and what controllers and shims tell of those that run."""

from __future__ import annotations

from moorage_api.convert import payloads, timestamps
from moorage_api.messages import sandboxes, shim_sandbox, types
from moorage_sdk.containers import Runtime
from moorage_sdk.sandboxes import Metric, Sandbox, Status


def from_message(message: types.Sandbox) -> Sandbox:
    """The value. Stores set the times themselves and do not look at those of a request."""
    return Sandbox(
        id=message.sandbox_id,
        runtime=Runtime(message.runtime.name, payloads.optional(message.runtime.options)),
        spec=payloads.optional(message.spec),
        sandboxer=message.sandboxer,
        labels=dict(message.labels),
        extensions=payloads.from_map(message.extensions),
        created_at=timestamps.from_message(message.created_at),
        updated_at=timestamps.from_message(message.updated_at),
    )


def to_message(sandbox: Sandbox) -> types.Sandbox:
    """The message."""
    return types.Sandbox(
        sandbox_id=sandbox.id,
        runtime=types.Sandbox.Runtime(name=sandbox.runtime.name, options=payloads.to_optional(sandbox.runtime.options)),
        spec=payloads.to_optional(sandbox.spec),
        labels=sandbox.labels,
        created_at=timestamps.to_message(sandbox.created_at),
        updated_at=timestamps.to_message(sandbox.updated_at),
        extensions=payloads.to_map(sandbox.extensions),
        sandboxer=sandbox.sandboxer,
    )


def status_from_message(message: sandboxes.ControllerStatusResponse | shim_sandbox.SandboxStatusResponse) -> Status:
    """What a controller or a shim says; a shim does not know where it is reached."""
    return Status(
        id=message.sandbox_id,
        pid=message.pid,
        state=message.state,
        info=dict(message.info),
        created_at=timestamps.from_message(message.created_at),
        exited_at=timestamps.from_message(message.exited_at),
        extra=payloads.optional(message.extra),
    )


def metric_from_message(message: types.Metric) -> Metric:
    """The value."""
    return Metric(message.id, timestamps.from_message(message.timestamp), payloads.optional(message.data))


def metric_to_message(metric: Metric) -> types.Metric:
    """The message."""
    at = timestamps.to_message(metric.timestamp) if metric.timestamp else None
    return types.Metric(id=metric.id, timestamp=at, data=payloads.to_optional(metric.data))
