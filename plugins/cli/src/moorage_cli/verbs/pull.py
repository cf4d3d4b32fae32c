"""``moorage pull``: an image from a registry, by the daemon."""

from __future__ import annotations

import click

from moorage_cli import images, options, sessions
from moorage_client.clients import Client
from moorage_sdk import platforms
from moorage_sdk.transfers import Credentials, Registry


@click.command("pull")
@click.option("--platform", "wanted", multiple=True, metavar="OS/ARCH", help="Platform to pull; may be repeated.")
@click.option("--all-platforms", is_flag=True, help="Pull for every platform of the index.")
@click.option("-u", "--user", default="", metavar="USER[:PASSWORD]", help="Credentials; asks for the password.")
@click.option("--plain-http", is_flag=True, help="Speak HTTP without TLS to the registry.")
@click.option("--hosts-dir", default="", metavar="DIR", help="Directory with HOST/hosts.toml per registry.")
@click.option("-q", "--quiet", is_flag=True, help="Print only the image's name.")
@options.snapshotter
@click.argument("image")
def command(
    image: str,
    wanted: tuple[str, ...],
    all_platforms: bool,
    user: str,
    plain_http: bool,
    hosts_dir: str,
    quiet: bool,
    snapshotter: str,
) -> None:
    """Pull IMAGE from its registry, and unpack it."""
    chosen = tuple(platforms.parse(each) for each in wanted) or (() if all_platforms else (platforms.host(),))
    registry = Registry(
        config_path=hosts_dir,
        default_scheme="http" if plain_http else "",
        authority=Typed(user) if user else None,
    )

    async def work(client: Client) -> str:
        holder = await client.plugins.snapshotter(snapshotter)
        pulled = await images.pull(client, image, snapshotter=holder, chosen=chosen, registry=registry, quiet=quiet)
        return pulled.name

    click.echo(sessions.run(work))


class Typed:
    """An authority for the registry: answers with what was typed; asks for a password that was not, once."""

    def __init__(self, user: str) -> None:
        name, colon, secret = user.partition(":")
        self._name = name
        self._secret = secret if colon else None

    def __call__(self, host: str, reference: str, realm: str) -> Credentials | None:
        if self._secret is None:
            self._secret = click.prompt(f"Password of {self._name} at {host}", hide_input=True, err=True)
        return Credentials(self._name, self._secret)
