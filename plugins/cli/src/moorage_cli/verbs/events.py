"""``moorage events``: what happens, as it happens."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any

import click

from moorage_cli import options, sessions, tables
from moorage_client import events
from moorage_client.clients import Client
from moorage_sdk.events import Envelope


@click.command("events")
@click.option(
    "-f", "--filter", "filters", multiple=True, metavar="FILTER", help="Such as topic~=^/tasks; any may match."
)
@click.option("--all-namespaces", is_flag=True, help="Not only those of the chosen namespace.")
@options.output_format
def command(filters: tuple[str, ...], all_namespaces: bool, format: str) -> None:
    """Show events until interrupted."""
    namespace = sessions.options().namespace

    async def work(client: Client) -> None:
        async for envelope in client.events.subscribe(filters):
            if all_namespaces or envelope.namespace == namespace:
                _show(envelope, format)

    sessions.run(work)


def _show(envelope: Envelope, format: str) -> None:
    at = datetime.fromtimestamp(envelope.timestamp / 1e9, UTC).isoformat(timespec="milliseconds")
    fields = events.fields(envelope.event)
    if format == "json":
        tables.show_json([_object(envelope, at, fields)])
    else:
        text = json.dumps(fields, ensure_ascii=False)
        click.echo(tables.clean(f"{at} {envelope.namespace} {envelope.topic} {text}"))
    sys.stdout.flush()


def _object(envelope: Envelope, at: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {"timestamp": at, "namespace": envelope.namespace, "topic": envelope.topic, "event": fields}
