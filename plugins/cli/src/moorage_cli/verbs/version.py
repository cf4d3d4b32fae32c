"""``moorage version``: ours, and the daemon's."""

from __future__ import annotations

from importlib import metadata

import click

from moorage_cli import options, sessions, tables


@click.command("version")
@options.output_format
def command(format: str) -> None:
    """Show the versions of client and daemon."""
    address = sessions.address(sessions.options().address)
    own = metadata.version("moorage-cli")
    if format == "table":
        click.echo(f"client   moorage {own}")
    daemon = sessions.run(lambda client: client.versions.get())
    if format == "json":
        tables.show_json([{"client": own, "daemon": daemon.version, "revision": daemon.revision, "address": address}])
        return
    revision = f" (revision {daemon.revision})" if daemon.revision else ""
    click.echo(f"daemon   {daemon.version}{revision} at {address}")
