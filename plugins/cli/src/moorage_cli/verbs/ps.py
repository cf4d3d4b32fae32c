"""``moorage ps``: containers and how they fare."""

from __future__ import annotations

import shlex
from datetime import datetime
from typing import Any

import click

from moorage_cli import lookups, options, runs, sessions, tables
from moorage_client import containers as records
from moorage_client.clients import Client
from moorage_sdk import errors, references
from moorage_sdk.containers import Container
from moorage_sdk.tasks import Process, Status


@click.command("ps")
@click.option("-a", "--all", "all_", is_flag=True, help="Also those that do not run.")
@click.option("-q", "--quiet", is_flag=True, help="Ids only.")
@options.output_format
def command(all_: bool, quiet: bool, format: str) -> None:
    """List containers."""
    found = sessions.run(_list)
    shown = [(container, process) for container, process in found if all_ or is_running(process)]
    if quiet:
        for container, _ in shown:
            click.echo(container.id)
    elif format == "json":
        tables.show_json(_object(container, process) for container, process in shown)
    else:
        rows = [_row(container, process) for container, process in shown]
        tables.show(("CONTAINER", "IMAGE", "COMMAND", "CREATED", "STATUS"), rows)


async def _list(client: Client) -> list[tuple[Container, Process | None]]:
    """Youngest first."""
    processes = {process.container_id: process for process in await client.tasks.list()}
    containers = sorted(await client.containers.list(), key=lambda container: container.created_at, reverse=True)
    return [(container, processes.get(container.id)) for container in containers]


def is_running(process: Process | None) -> bool:
    return process is not None and process.status in lookups.RUNNING


def status(container: Container, process: Process | None) -> str:
    """``Up``, ``Paused``, ``Exited (0) 5 minutes ago``, ``Created``."""
    if process is None:
        last = _last_exit(container)
        return f"Exited ({last[0]}) {tables.ago(last[1])}" if last else "Created"
    match process.status:
        case Status.STOPPED:
            return f"Exited ({process.exit_status}) {tables.ago(process.exited_at)}".rstrip()
        case Status.RUNNING:
            return "Up"
        case other:
            return other.name.capitalize()


def _last_exit(container: Container) -> tuple[int, int] | None:
    """Exit code and time (nanoseconds since the epoch) of a task that is deleted; None where there was none."""
    code, _, at = container.labels.get(runs.EXIT, "").partition(" ")
    try:
        return int(code), int(datetime.fromisoformat(at).timestamp()) * 10**9
    except ValueError:  # labels are anybody's
        return None


def _name(container: Container) -> str:
    return container.labels.get(lookups.NERDCTL_NAME) or container.id


def _command(container: Container) -> list[str]:
    try:
        return list(records.spec_of(container)["process"]["args"])
    except (errors.InvalidArgument, KeyError, TypeError):
        return []


def _row(container: Container, process: Process | None) -> tuple[str, ...]:
    command = shlex.join(_command(container))
    return (
        _name(container),
        references.familiar(container.image),
        command if len(command) <= 30 else command[:29] + "…",
        tables.ago(container.created_at),
        status(container, process),
    )


def _object(container: Container, process: Process | None) -> dict[str, Any]:
    last = None if process else _last_exit(container)
    ended = process.exit_status if process and process.status is Status.STOPPED else last[0] if last else None
    return {
        "id": container.id,
        "name": _name(container),
        "image": container.image,
        "command": _command(container),
        "created_at": container.created_at,
        "status": process.status.name.lower() if process else "stopped" if last else "created",
        "pid": process.pid if process else 0,
        "exit_status": ended,
        "runtime": container.runtime.name,
        "snapshotter": container.snapshotter,
        "labels": dict(container.labels),
    }
