"""Options that several verbs share, and what they amount to."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from moorage_sdk import errors

if TYPE_CHECKING:
    from moorage_sdk.platforms import Platform
    from moorage_specs.confinements import Confinement
    from moorage_specs.settings import Settings

Decorated = Callable[..., Any]

SNAPSHOTTER_HELP = (
    "Snapshotter that holds the layers (or CONTAINERD_SNAPSHOTTER); otherwise overlayfs, or what the daemon has."
)


def snapshotter(function: Decorated) -> Decorated:
    return click.option(
        "--snapshotter", envvar="CONTAINERD_SNAPSHOTTER", default="", metavar="NAME", help=SNAPSHOTTER_HELP
    )(function)


def output_format(function: Decorated) -> Decorated:
    choice = click.Choice(["table", "json"])
    return click.option("--format", "format", type=choice, default="table", help="json: one object per line.")(function)


def creation(function: Decorated) -> Decorated:
    """All options of ``run`` and ``create``, image and command; the verb gets them as one ``Creation``."""

    def collected(**values: Any) -> Any:
        own = {name: values.pop(name) for name in list(values) if name not in Creation.__dataclass_fields__}
        return function(Creation(**values), **own)

    collected.__name__, collected.__doc__ = function.__name__, function.__doc__
    collected.__click_params__ = list(getattr(function, "__click_params__", []))  # type: ignore[attr-defined]
    decorated: Decorated = collected
    for option in reversed(_CREATION):
        decorated = option(decorated)
    return snapshotter(decorated)


@dataclass(frozen=True)
class Creation:
    """What ``run`` and ``create`` were told, as typed."""

    image: str
    command: tuple[str, ...]
    interactive: bool
    tty: bool
    name: str
    env: tuple[str, ...]
    env_file: tuple[str, ...]
    volume: tuple[str, ...]
    workdir: str
    user: str
    hostname: str
    entrypoint: str | None
    network: str
    memory: str
    cpus: str
    pids_limit: int
    read_only: bool
    privileged: bool
    allow_new_privs: bool
    security_opt: tuple[str, ...]
    cap_add: tuple[str, ...]
    cap_drop: tuple[str, ...]
    sysctl: tuple[str, ...]
    label: tuple[str, ...]
    restart: str
    runtime: str
    pull: str
    platform: str
    snapshotter: str

    def settings(self) -> Settings:
        """Raises errors.InvalidArgument for the first option that makes no sense."""
        from moorage_client import quantities
        from moorage_specs import environments, settings, volumes

        return settings.Settings(
            command=self.command,
            entrypoint=None if self.entrypoint is None else _words(self.entrypoint),
            env=environments.given((*_read_env_files(self.env_file), *self.env), os.environ),
            working_dir=self.workdir,
            user=self.user,
            hostname=self.hostname,
            terminal=self.tty,
            read_only=self.read_only,
            privileged=self.privileged,
            host_network=self.network == "host",
            cap_add=self.cap_add,
            cap_drop=self.cap_drop,
            confinement=self._confinement(),
            sysctls=self.sysctl,
            volumes=tuple(volumes.parse(each) for each in self.volume),
            limits=settings.Limits(
                memory=quantities.size(self.memory) if self.memory else 0,
                cpu_quota=quantities.cpu_quota(self.cpus, settings.CPU_PERIOD) if self.cpus else 0,
                pids=max(0, self.pids_limit),
            ),
        )

    def _confinement(self) -> Confinement:
        from moorage_specs import confinements

        asked = confinements.parse(self.security_opt)
        if not self.allow_new_privs:
            return asked
        if asked.no_new_privileges:
            raise errors.InvalidArgument("--allow-new-privs and no-new-privileges: only one of them: invalid argument")
        return replace(asked, no_new_privileges=False)

    def labels(self) -> dict[str, str]:
        """Raises errors.InvalidArgument for a label that is none, or a restart policy nobody knows."""
        from moorage_sdk import labels

        pairs = [each.partition("=") for each in self.label]
        if not all(key for key, _, _ in pairs):
            raise errors.InvalidArgument("label: must be KEY=VALUE: invalid argument")
        chosen = {key: value for key, _, value in pairs if value}
        labels.validate(chosen)
        return {**chosen, **_restart_labels(self.restart)}

    def chosen_platform(self) -> Platform | None:
        from moorage_sdk import platforms

        return platforms.parse(self.platform) if self.platform else None


def _read_env_files(paths: tuple[str, ...]) -> list[str]:
    lines = []
    for path in paths:
        try:
            text = Path(path).read_text("utf-8")
        except UnicodeDecodeError:
            raise errors.InvalidArgument(f'file of variables "{path}": not UTF-8 text: invalid argument') from None
        lines += [line.strip() for line in text.split("\n") if line.strip() and not line.lstrip().startswith("#")]
    return lines


def _words(text: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise errors.InvalidArgument(f'entry point "{text}": {str(error).lower()}: invalid argument') from None


def _restart_labels(policy: str) -> dict[str, str]:
    """The policy alone: whoever starts the container has it looked after."""
    from moorage_cli import restarts

    if policy in ("", "no"):
        return {}
    name, colon, count = policy.partition(":")
    known = name in ("always", "unless-stopped", "on-failure")
    if not known or (colon and not (name == "on-failure" and count.isdecimal())):
        raise errors.InvalidArgument(
            f'restart policy "{policy}": unknown: invalid argument',
            hint="no, always, unless-stopped, on-failure[:COUNT]",
        )
    return {restarts.POLICY: policy}


_CREATION = (
    click.option("-i", "--interactive", is_flag=True, help="Keep standard input open and attached."),
    click.option("-t", "--tty", is_flag=True, help="Give the container a terminal."),
    click.option("--name", default="", help="Name, and id, of the container."),
    click.option("-e", "--env", multiple=True, metavar="NAME[=VALUE]", help="Environment variable."),
    click.option("--env-file", multiple=True, metavar="FILE", help="File with an environment variable per line."),
    click.option(
        "-v", "--volume", multiple=True, metavar="SRC:DST[:OPT]", help="Mount a directory or file of the host."
    ),
    click.option("-w", "--workdir", default="", metavar="DIR", help="Working directory."),
    click.option("-u", "--user", default="", metavar="USER[:GROUP]", help="User by name or id."),
    click.option("--hostname", default="", help="Host name in the container; the id otherwise."),
    click.option("--entrypoint", default=None, metavar="COMMAND", help="Use this instead of the image's entry point."),
    click.option(
        "--network",
        "--net",
        type=click.Choice(["none", "host"]),
        default="none",
        help="none: loopback only; host: the host's own.",
    ),
    click.option("-m", "--memory", default="", metavar="SIZE", help="Memory limit, such as 512m."),
    click.option("--cpus", default="", metavar="NUMBER", help="CPU limit, such as 1.5."),
    click.option("--pids-limit", type=int, default=0, metavar="NUMBER", help="Limit of processes and threads."),
    click.option("--read-only", is_flag=True, help="Mount the root file system read-only."),
    click.option("--privileged", is_flag=True, help="All capabilities and devices, nothing masked or filtered."),
    click.option("--allow-new-privs", is_flag=True, help="Let set-user-id programs work."),
    click.option(
        "--security-opt",
        multiple=True,
        metavar="OPTION",
        help="seccomp=unconfined|FILE, apparmor=NAME, label=disable|PART:VALUE, no-new-privileges[=false].",
    ),
    click.option("--cap-add", multiple=True, metavar="CAP", help="Add a capability, or ALL."),
    click.option("--cap-drop", multiple=True, metavar="CAP", help="Drop a capability, or ALL."),
    click.option("--sysctl", multiple=True, metavar="NAME=VALUE", help="Kernel parameter of the container alone."),
    click.option("-l", "--label", multiple=True, metavar="KEY=VALUE", help="Label of the container."),
    click.option("--restart", default="no", metavar="POLICY", help="no, always, unless-stopped, on-failure[:COUNT]."),
    click.option("--runtime", default="io.containerd.runc.v2", metavar="NAME", help="Runtime that carries it."),
    click.option("--pull", type=click.Choice(["missing", "always", "never"]), default="missing", help="When to pull."),
    click.option("--platform", default="", metavar="OS/ARCH", help="Platform of the image."),
    click.argument("image"),
    click.argument("command", nargs=-1, type=click.UNPROCESSED),
)
