"""The verbs of ``mooraged``: what it can say without being the daemon. All but these are contributed by plugins."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import cast

from moorage_core import daemons, discovery, references
from moorage_core.daemons import Plan
from moorage_core.discovery import Installed
from moorage_core.documents import there
from moorage_core.programs import Program
from moorage_core.records import PENDING
from moorage_core.settings import Request
from moorage_sdk import errors, verbs

Verb = Callable[[Request, Program, Installed], int]


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
        verb = cast(verbs.Verb, contributed[words[0]].load())
        return lambda request, program, installed: verb(_command(words[1:], request, program)) or 0
    names = [" ".join(each) for each in known] + sorted(contributed)
    raise errors.NotFound(f'verb "{" ".join(words)}": not found', hint=f"there are {', '.join(names)}")


def _help(program: Program, known: Mapping[tuple[str, ...], Verb]) -> int:
    for words, verb in known.items():
        print_(f"{program.name} {' '.join(words)}: {(verb.__doc__ or '').partition('.')[0]}\n")
    return 0


def _command(words: Sequence[str], request: Request, program: Program) -> verbs.Command:
    """For a contributed verb, which as in containerd reads no file."""
    socket = Path(request.flags.get("state", program.state), program.socket)
    return verbs.Command(tuple(words), program.name, request.flags.get("address", str(socket)))


def default(request: Request, program: Program, installed: Installed) -> int:
    """Print the configuration that holds where no file says anything."""
    planned = _planned(Request("/dev/null"), program, installed)
    print_(references.document(planned, [program.imports]))
    return 0


def dump(request: Request, program: Program, installed: Installed) -> int:
    """Print what files and flags amount to, in the newest version.

    As containerd does, also where the file that was asked for is not there.
    """
    if request.config is not None and not there(request.config):
        sys.stderr.write(f'{program.name}: configuration "{request.config}": no such file, what holds without it:\n')
        request = dataclasses.replace(request, config="/dev/null")
    planned = _planned(request, program, installed)
    for warning in planned.warnings:
        sys.stderr.write(f"{program.name}: warning: {warning}\n")
    print_(references.document(planned, planned.settings.top.imports))
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


def print_(text: str) -> None:
    """To standard output, which is the product of a verb."""
    sys.stdout.write(text)
