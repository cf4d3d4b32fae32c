"""The console script: hands over to an isolated interpreter.

Installers write a shebang without ``-I``, and without it the working directory or PYTHONPATH could put code into a
process that runs as root.
"""

from __future__ import annotations

import os
import sys

from moorage_core import programs


def command(executable: str, arguments: list[str]) -> list[str]:
    """The command line of the isolated interpreter."""
    return [executable, "-I", "-m", "moorage_core", *arguments]


def main() -> None:
    """Replace this process; returns never."""
    environment = programs.environment(sys.argv[0], os.environ)
    os.execve(sys.executable, command(sys.executable, sys.argv[1:]), environment)
