"""Activations of mounts: ``moorage_sdk.activations`` and ``containerd.types.ActivationInfo``."""

from __future__ import annotations

from moorage_api.convert import mounts, timestamps
from moorage_api.messages import types
from moorage_sdk.activations import Activation, ActiveMount


def from_message(message: types.ActivationInfo) -> Activation:
    """The value. Raises errors.InvalidArgument for a time that is none."""
    active = tuple(map(_from_active, message.active))
    return Activation(message.name, active, mounts.from_messages(message.system), dict(message.labels))


def to_message(activation: Activation) -> types.ActivationInfo:
    """The message."""
    return types.ActivationInfo(
        name=activation.name,
        active=map(_to_active, activation.active),
        system=mounts.to_messages(activation.system),
        labels=activation.labels,
    )


def _from_active(message: types.ActiveMount) -> ActiveMount:
    at = timestamps.from_message(message.mounted_at) if message.HasField("mounted_at") else 0
    return ActiveMount(mounts.from_message(message.mount), message.mount_point, at, dict(message.data))


def _to_active(active: ActiveMount) -> types.ActiveMount:
    return types.ActiveMount(
        mount=mounts.to_message(active.mount),
        mounted_at=timestamps.to_message(active.mounted_at) if active.mounted_at else None,
        mount_point=active.mount_point,
        data=active.data,
    )
