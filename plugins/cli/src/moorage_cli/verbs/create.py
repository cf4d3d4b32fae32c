"""``moorage create``: a container that ``start`` can start."""

from __future__ import annotations

import click

from moorage_cli import options, sessions
from moorage_cli.options import Creation
from moorage_cli.verbs import run


@click.command("create", context_settings={"allow_interspersed_args": False})
@options.creation
def command(creation: Creation) -> None:
    """Make a container of IMAGE that is to run COMMAND, and print its id."""
    container = sessions.run(lambda client: run.create(client, creation))
    click.echo(container.id)
