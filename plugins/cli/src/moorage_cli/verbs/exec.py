"""``moorage exec``: a further process in a running container."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from moorage_cli import lookups, sessions
from moorage_cli.attachments import Foreground, Streams, local_size
from moorage_client import containers as records
from moorage_client import fifos
from moorage_client.clients import Client
from moorage_sdk import errors
from moorage_sdk.containers import Container
from moorage_sdk.tasks import Exit, Process, Stdio
from moorage_specs import environments, processes, users, working_dirs


@click.command("exec", context_settings={"allow_interspersed_args": False})
@click.option("-d", "--detach", is_flag=True, help="Run in the background, without streams.")
@click.option("-i", "--interactive", is_flag=True, help="Attach standard input.")
@click.option("-t", "--tty", is_flag=True, help="Give the process a terminal.")
@click.option("-e", "--env", multiple=True, metavar="NAME[=VALUE]", help="Environment variable.")
@click.option("-w", "--workdir", default="", metavar="DIR", help="Working directory.")
@click.option("-u", "--user", default="", metavar="USER[:GROUP]", help="User by name or id.")
@click.argument("container")
@click.argument("arguments", nargs=-1, required=True, type=click.UNPROCESSED, metavar="COMMAND...")
def command(container: str, arguments: tuple[str, ...], detach: bool, interactive: bool, tty: bool, **rest: Any) -> int:
    """Run COMMAND in the running CONTAINER."""
    streams = Streams(interactive and not detach, tty)
    if not detach:
        streams.check()
    return sessions.run(lambda client: _exec(client, container, arguments, streams, detach=detach, **rest))


async def _exec(
    client: Client, wanted: str, arguments: tuple[str, ...], streams: Streams, *, detach: bool, **changes: Any
) -> int:
    container, init = await lookups.running(client, wanted)
    process = process_of(container, init, arguments, streams, **changes)
    exec_id = f"exec-{os.urandom(8).hex()}"
    if detach:
        await client.tasks.exec(container.id, exec_id, process, Stdio(terminal=streams.terminal))
        await client.tasks.start(container.id, exec_id)
        return 0
    ended = await _attached(client, container.id, exec_id, process, streams)
    return ended.status if ended else 0


async def _attached(client: Client, id: str, exec_id: str, process: dict[str, Any], streams: Streams) -> Exit | None:
    with fifos.temporary(stdin=streams.interactive, terminal=streams.terminal) as pipes:

        async def begin() -> None:
            await client.tasks.exec(id, exec_id, process, pipes.stdio)

        try:
            ended = await Foreground(client, id, exec_id, streams).run(pipes.stdio, begin, launch=True)
        except errors.Error:
            await _forget(client, id, exec_id)
            raise
        if ended is not None:
            await _forget(client, id, exec_id)
        return ended


async def _forget(client: Client, id: str, exec_id: str) -> None:
    """The record of a process that has ended or never began; gone already is fine."""
    try:
        await client.tasks.delete_process(id, exec_id)
    except errors.Error:
        return


def process_of(
    container: Container,
    init: Process,
    arguments: tuple[str, ...],
    streams: Streams,
    *,
    env: tuple[str, ...],
    workdir: str,
    user: str,
) -> dict[str, Any]:
    """The container's own process with what was asked for instead. Raises errors.InvalidArgument, errors.NotFound."""
    process = processes.further(records.spec_of(container)["process"])
    process |= {"args": list(arguments), "terminal": streams.terminal}
    overrides = environments.given(env, os.environ)
    base = environments.merged(["TERM=xterm"] if streams.terminal else [], process.get("env", []))
    process["env"] = list(environments.merged(base, overrides))
    if workdir:
        process["cwd"] = working_dirs.absolute(workdir)
    if user:
        # The root as the container sees it, mounts included.
        found = users.resolve(user, Path(f"/proc/{init.pid}/root"))
        process["user"] = processes.user_of(found)
    size = local_size()
    if streams.terminal and size:
        process["consoleSize"] = {"width": size[0], "height": size[1]}
    else:
        process.pop("consoleSize", None)
    return process
