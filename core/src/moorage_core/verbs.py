"""The verbs of ``mooraged``: what it can say without being the daemon. All but these are contributed by plugins."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from moorage_core import daemons, discovery, writers
from moorage_core.daemons import Plan
from moorage_core.discovery import Installed
from moorage_core.documents import NEWEST
from moorage_core.programs import Program
from moorage_core.records import PENDING
from moorage_core.settings import Request, Top
from moorage_sdk import config, errors

Verb = Callable[[Request, Program, Installed], int]
Contributed = Callable[[Sequence[str]], int | None]
"""What the group ``moorage.verb`` holds: gets the words behind the verb, returns the exit code (None is 0)."""


def find(words: Sequence[str], installed: Installed) -> Verb:
    """The verb that the words on the command line name. Raises errors.NotFound, saying which there are."""
    known: dict[tuple[str, ...], Verb] = {
        ("config", "default"): default,
        ("config", "dump"): dump,
        ("config", "migrate"): dump,
        ("config", "check"): check,
        ("plugin", "list"): plugins,
    }
    if tuple(words) in known:
        return known[tuple(words)]
    if words[-1] in ("-h", "--help") and any(each[0] == words[0] for each in known):
        return lambda request, program, installed: _help(program, known)
    contributed = {candidate.name: candidate for candidate in installed.candidates(discovery.VERBS)}
    if words[0] in contributed:
        verb = cast(Contributed, contributed[words[0]].load())
        return lambda request, program, installed: verb(words[1:]) or 0
    names = [" ".join(each) for each in known] + sorted(contributed)
    raise errors.NotFound(f'verb "{" ".join(words)}": not found', hint=f"there are {', '.join(names)}")


def _help(program: Program, known: Mapping[tuple[str, ...], Verb]) -> int:
    for words, verb in known.items():
        print_(f"{program.name} {' '.join(words)}: {(verb.__doc__ or '').partition('.')[0]}\n")
    return 0


def default(request: Request, program: Program, installed: Installed) -> int:
    """Print the configuration that holds where no file says anything."""
    planned = _planned(Request("/dev/null"), program, installed)
    top = config.encode(planned.settings.top)
    print_(document(planned, top | {"imports": [program.imports]}))
    return 0


def dump(request: Request, program: Program, installed: Installed) -> int:
    """Print what files and flags amount to, in the newest version. Its imports are already part of it."""
    planned = _planned(request, program, installed)
    print_(document(planned, config.encode(planned.settings.top) | {"imports": []}))
    return 0


def check(request: Request, program: Program, installed: Installed) -> int:
    """Print warnings. Raises ConfigurationError for faults."""
    planned = _planned(request, program, installed)
    for warning in planned.warnings:
        print_(f"warning: {warning}\n")
    print_("the configuration is good\n")
    return 0


def plugins(request: Request, program: Program, installed: Installed) -> int:
    """Print what is installed, and what would be started."""
    for record in _planned(request, program, installed).records:
        state = "enabled" if record.state == PENDING else record.state
        print_(f"{record.uri}\t{record.distribution or '-'}\t{state}\t{record.reason}".rstrip() + "\n")
    return 0


def _planned(request: Request, program: Program, installed: Installed) -> Plan:
    """What the daemon would do. Raises ConfigurationError."""
    return daemons.plan(daemons.outline(request, program, installed), installed)


def document(planned: Plan, top: dict[str, Any]) -> str:
    """A whole configuration file: the kernel's part, what plugins own beside it, and the table of each plugin."""
    settings = planned.settings
    others = {key: value for key, value in settings.merged.table.items() if key not in config.defaults(Top) | top}
    tables = {uri: dict(settings.table(uri)) for uri in settings.top.plugins}
    for record in planned.records:
        if record.config is not None:
            tables[record.uri] = config.encode(record.config)
    whole = {"version": NEWEST} | {key: value for key, value in top.items() if key != "plugins"} | others
    return writers.dumps(whole | {"plugins": {uri: tables[uri] for uri in sorted(tables)}})


def print_(text: str) -> None:
    """To standard output, which is the product of a verb."""
    sys.stdout.write(text)
