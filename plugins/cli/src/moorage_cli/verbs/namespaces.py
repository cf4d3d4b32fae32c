"""``moorage namespaces``: separate worlds of names in one daemon."""

from __future__ import annotations

import click

from moorage_cli import every, options, sessions, tables
from moorage_client.clients import Client
from moorage_sdk import errors


@click.group("namespaces", invoke_without_command=True)
@click.option("-q", "--quiet", is_flag=True, help="Names only.")
@options.output_format
@click.pass_context
def command(ctx: click.Context, quiet: bool, format: str) -> None:
    """List, create and remove namespaces; list them when there is no word behind it."""
    if ctx.invoked_subcommand is None:
        _show(quiet, format)


@command.command("ls")
@click.option("-q", "--quiet", is_flag=True, help="Names only.")
@options.output_format
def list_(quiet: bool, format: str) -> None:
    """List namespaces."""
    _show(quiet, format)


def _show(quiet: bool, format: str) -> None:
    found = sessions.run(lambda client: client.namespaces.list())
    if quiet:
        for each in found:
            click.echo(each.name)
    elif format == "json":
        tables.show_json({"name": each.name, "labels": dict(each.labels)} for each in found)
    else:
        rows = [(each.name, ",".join(f"{key}={value}" for key, value in each.labels.items())) for each in found]
        tables.show(("NAME", "LABELS"), rows)


@command.command("create")
@click.option("-l", "--label", "labels", multiple=True, metavar="KEY=VALUE")
@click.argument("name")
def create(name: str, labels: tuple[str, ...]) -> None:
    """Create the namespace NAME."""
    pairs = [each.partition("=") for each in labels]
    if not all(key and equals for key, equals, _ in pairs):
        raise errors.InvalidArgument("label: must be KEY=VALUE: invalid argument")
    sessions.run(lambda client: client.namespaces.create(name, {key: value for key, _, value in pairs}))
    click.echo(name)


@command.command("rm")
@click.argument("names", nargs=-1, required=True)
def remove(names: tuple[str, ...]) -> int:
    """Remove namespaces that have nothing in them."""

    async def work(client: Client) -> int:
        return await every.each(names, client.namespaces.delete)

    return sessions.run(work)
