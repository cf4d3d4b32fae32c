"""The processes of a container: its first one, and what holds for all."""

from __future__ import annotations

from typing import Any

from moorage_sdk import errors
from moorage_specs import capabilities, environments, working_dirs
from moorage_specs.configs import Config
from moorage_specs.settings import Settings
from moorage_specs.users import User

RLIMIT_NOFILE = 1024


def init(config: Config, user: User, settings: Settings) -> dict[str, Any]:
    """``process`` of a specification. Raises errors.InvalidArgument for wishes that make no sense."""
    env = environments.merged(environments.checked(config.env) or (environments.PATH,), settings.env)
    if settings.terminal:
        env = environments.merged(["TERM=xterm"], env)
    return {
        "terminal": settings.terminal,
        "user": user_of(user),
        "args": _arguments(config, settings),
        "env": list(environments.checked(env)),
        "cwd": working_dirs.absolute(settings.working_dir or config.working_dir or "/"),
        "capabilities": _capabilities(settings),
        "rlimits": [{"type": "RLIMIT_NOFILE", "hard": RLIMIT_NOFILE, "soft": RLIMIT_NOFILE}],
        **_confinement(settings),
    }


def user_of(user: User) -> dict[str, Any]:
    return {"uid": user.uid, "gid": user.gid, "additionalGids": list(user.groups)}


def further(process: dict[str, Any]) -> dict[str, Any]:
    """A copy of a container's first process for one beside it, whoever made the container.

    It keeps the confinement; what it does not get is inheritable and ambient capabilities (GHSA-c9cp-9c75-9v8c).
    """
    held = process.get("capabilities") or {}
    kept = {kind: list(names) for kind, names in held.items() if kind not in ("inheritable", "ambient")}
    return {**process, **({"capabilities": kept} if held else {})}


def _arguments(config: Config, settings: Settings) -> list[str]:
    """The command replaces the image's; a new entrypoint drops the image's command too, as docker does."""
    entrypoint = config.entrypoint if settings.entrypoint is None else settings.entrypoint
    default = config.command if settings.entrypoint is None else ()
    arguments = [*entrypoint, *(settings.command or default)]
    if not arguments:
        raise errors.InvalidArgument("container: no command, and the image has none: invalid argument")
    if any("\0" in each for each in arguments):
        raise errors.InvalidArgument("container: null byte in the command: invalid argument")
    return arguments


def _capabilities(settings: Settings) -> dict[str, list[str]]:
    """Never inheritable nor ambient ones (CVE-2022-24769 and its siblings)."""
    base = capabilities.current() if settings.privileged else capabilities.DEFAULT
    names = capabilities.adjusted(base, settings.cap_add, settings.cap_drop)
    return {kind: list(names) for kind in ("bounding", "effective", "permitted")}


def _confinement(settings: Settings) -> dict[str, Any]:
    chosen = settings.confinement
    asked = chosen.no_new_privileges
    found: dict[str, Any] = {"noNewPrivileges": not settings.privileged if asked is None else asked}
    if chosen.apparmor:
        found["apparmorProfile"] = chosen.apparmor
    if chosen.labels.process:
        found["selinuxLabel"] = chosen.labels.process
    return found
