"""``moorage plugins``: what the daemon is made of."""

from __future__ import annotations

import click

from moorage_cli import options, sessions, tables


@click.command("plugins")
@click.option("-d", "--detail", is_flag=True, help="Also why a plugin does not work, and what it exports.")
@options.output_format
def command(detail: bool, format: str) -> None:
    """List the daemon's plugins and how they fare."""
    found = sessions.run(lambda client: client.plugins.list())
    if format == "json":
        tables.show_json(
            {
                "type": plugin.type,
                "id": plugin.id,
                "status": plugin.status,
                "error": plugin.error,
                "requires": plugin.requires,
                "exports": dict(plugin.exports),
                "capabilities": plugin.capabilities,
            }
            for plugin in found
        )
        return
    headings = ("TYPE", "ID", "STATUS", *(("DETAIL",) if detail else ()))
    rows = []
    for plugin in found:
        exports = ", ".join(f"{key}={value}" for key, value in plugin.exports.items())
        extra = (" ".join((plugin.error or exports).split()),) if detail else ()
        rows.append((plugin.type, plugin.id, plugin.status, *extra))
    tables.show(headings, rows)
