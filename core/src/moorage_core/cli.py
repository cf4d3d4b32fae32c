"""The command line of ``mooraged``: flags as containerd has them, then a verb or nothing."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence

from moorage_core import daemons, programs, verbs
from moorage_core.discovery import Installed, LoadError
from moorage_core.programs import Program
from moorage_core.settings import ConfigurationError, Request
from moorage_sdk import errors

FLAGS = ("log-level", "address", "root", "state")
_SWITCHES = ("help", "h", "version", "v")
"""Flags without a value."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the daemon or a verb; returns the exit code. What keeps it from working is told on standard error."""
    program = programs.current(sys.argv[0])
    arguments = parser(program).parse_args(dashed(sys.argv[1:] if argv is None else argv))
    flags = {name: getattr(arguments, name.replace("-", "_")) for name in FLAGS}
    request = Request(arguments.config, {name: value for name, value in flags.items() if value})
    try:
        if not arguments.verb:
            return daemons.run(request, program)
        installed = Installed()
        return verbs.find(arguments.verb, installed)(request, program, installed)
    except (ConfigurationError, errors.Error, LoadError) as error:
        for line in daemons.faults(error):
            sys.stderr.write(f"{program.name}: {line}\n")
    except BrokenPipeError:  # whoever read our output has seen enough
        return 1
    except Exception:  # noqa: BLE001 - a fault of ours; the interpreter's own shutdown could hang on foreign threads
        traceback.print_exc()
    return 1


def dashed(argv: Sequence[str]) -> list[str]:
    """The words with two dashes before long flags: who comes from containerd may write one, as Go's programs take it.

    What is behind the verb is the verb's.
    """
    words = list(argv)
    at = 0
    while at < len(words) and words[at].startswith("-"):
        name, equals, _ = words[at].lstrip("-").partition("=")
        if not words[at].startswith("--") and name in ("config", "version", "help", *FLAGS):
            words[at] = f"-{words[at]}"
        at += 1 if equals or name in _SWITCHES else 2
    return words


def parser(program: Program) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program.name, description="The container daemon. Without a verb it serves, in the foreground."
    )
    parser.add_argument("-c", "--config", metavar="FILE", help=f"configuration file ({program.config}, if it exists)")
    parser.add_argument(
        "-l", "--log-level", metavar="LEVEL", type=str.lower, help="trace, debug, info, warn, error, fatal or panic"
    )
    parser.add_argument("-a", "--address", metavar="PATH", help="socket to listen on")
    parser.add_argument("--root", metavar="DIR", help=f"what survives a reboot ({program.root})")
    parser.add_argument("--state", metavar="DIR", help=f"what a reboot may take ({program.state})")
    parser.add_argument("-v", "--version", action="version", version=program.version)
    parser.add_argument(
        "verb",
        nargs=argparse.REMAINDER,
        help="config default, config dump, config migrate, config check, plugin list, or a plugin's",
    )
    return parser
