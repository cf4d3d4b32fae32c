"""``moorage completion``: what a shell needs to complete our verbs and options."""

from __future__ import annotations

import click
from click import shell_completion

PROGRAM = "moorage"
VARIABLE = "_MOORAGE_COMPLETE"


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print a completion script; put it where SHELL looks for one.

    \b
    bash: moorage completion bash > /usr/share/bash-completion/completions/moorage
    zsh:  moorage completion zsh > "${fpath[1]}/_moorage"
    fish: moorage completion fish > ~/.config/fish/completions/moorage.fish
    """
    kind = shell_completion.get_completion_class(shell)
    assert kind is not None, shell
    click.echo(kind(ctx.find_root().command, {}, PROGRAM, VARIABLE).source())
