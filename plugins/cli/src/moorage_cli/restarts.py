"""Containers that the daemon starts again by itself, and how it is told that they shall not run now.

The labels are those of core/runtime/restart/restart.go in containerd v2.3. The daemon looks after containers with a
status label; one that was never started, or was stopped by hand, has none.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from moorage_cli import logs
from moorage_client.clients import Client
from moorage_sdk.containers import Container

POLICY = "containerd.io/restart.policy"
STATUS = "containerd.io/restart.status"
COUNT = "containerd.io/restart.count"
LOG_URI = "containerd.io/restart.loguri"
BY_HAND = "containerd.io/restart.explicitly-stopped"


def concerned(container: Container) -> bool:
    """Whether the container has a restart policy."""
    return POLICY in container.labels


async def watch(client: Client, container: Container) -> None:
    """It was started by hand: its policy counts from now on, and from the beginning."""
    await _label(client, container, {BY_HAND: "false", STATUS: "running", COUNT: "0"})


async def leave(client: Client, container: Container) -> None:
    """It is about to be stopped by hand, and stays so until somebody starts it, whatever its policy says."""
    await _label(client, container, {BY_HAND: "true", STATUS: ""})


async def keep_log(client: Client, container: Container) -> str:
    """The URI of the container's log, which is made, and which the daemon writes to when it starts the container."""
    path: Path = logs.create(client.namespace, container.id)
    uri = f"{logs.SCHEME}{path}"
    labels = {logs.LABEL: str(path), **({LOG_URI: uri} if concerned(container) else {})}
    await client.containers.update(replace(container, labels=labels), [f"labels.{key}" for key in labels])
    return uri


async def _label(client: Client, container: Container, labels: dict[str, str]) -> None:
    if concerned(container):
        await client.containers.update(replace(container, labels=labels), [f"labels.{key}" for key in labels])
