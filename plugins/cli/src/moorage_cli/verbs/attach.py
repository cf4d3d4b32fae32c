"""``moorage attach``: the streams of a container that runs."""

from __future__ import annotations

import click

from moorage_cli import lookups, runs, sessions
from moorage_cli.attachments import Foreground, Streams
from moorage_cli.verbs import logs as logs_verb
from moorage_client.clients import Client
from moorage_sdk import errors


@click.command("attach")
@click.option("--no-stdin", is_flag=True, help="Leave its input alone.")
@click.option("--sig-proxy/--no-sig-proxy", default=True, help="Pass signals on to the container.")
@click.argument("container")
def command(container: str, no_stdin: bool, sig_proxy: bool) -> int:
    """Attach to the streams of the running CONTAINER; its exit code becomes ours."""
    return sessions.run(lambda client: _attach(client, container, no_stdin, sig_proxy))


async def _attach(client: Client, wanted: str, no_stdin: bool, sig_proxy: bool) -> int:
    container, init = await lookups.running(client, wanted)
    if "://" in init.stdio.stdout:
        return await logs_verb.show(client, container, tail=0, follow=True)
    if not init.stdio.stdout:
        raise errors.FailedPrecondition(f'container "{container.id}": has no streams to attach to')
    streams = Streams(bool(init.stdio.stdin) and not no_stdin, init.stdio.terminal)
    streams.check()
    foreground = Foreground(client, container.id, "", streams)
    ended = await foreground.run(init.stdio, None, launch=False, proxy=sig_proxy)
    if ended is None:
        return 0
    await runs.forget_task(client, container, ended)
    return ended.status
