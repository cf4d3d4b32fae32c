"""Registries: how one is reached, as typed for verbs that talk to one."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from moorage_sdk.transfers import Credentials, Registry

Decorated = Callable[..., Any]

_OPTIONS = (
    click.option("-u", "--user", default="", metavar="USER[:PASSWORD]", help="Credentials; asks for the password."),
    click.option("--plain-http", is_flag=True, help="Speak HTTP without TLS to the registry."),
    click.option("--hosts-dir", default="", metavar="DIR", help="Directory with HOST/hosts.toml per registry."),
)


def options(function: Decorated) -> Decorated:
    """All options about the registry; the verb gets them as one ``registry``."""

    @functools.wraps(function)
    def collected(user: str, plain_http: bool, hosts_dir: str, **values: Any) -> Any:
        registry = Registry(
            config_path=hosts_dir,
            default_scheme="http" if plain_http else "",
            authority=Typed(user) if user else None,
        )
        return function(registry=registry, **values)

    decorated: Decorated = collected
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated


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
