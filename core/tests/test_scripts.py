import sys
from collections.abc import Mapping
from typing import Any

import pytest

from moorage_core import programs, scripts


def test_the_script_hands_over_to_an_isolated_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, list[str], Mapping[str, str]]] = []

    def execve(*arguments: Any) -> None:
        calls.append(arguments)

    monkeypatch.setattr(scripts.os, "execve", execve)
    monkeypatch.setattr(sys, "argv", ["/usr/bin/containerd", "--root", "/x"])
    scripts.main()
    ((path, command, environment),) = calls
    assert path == sys.executable
    assert command == [sys.executable, "-I", "-m", "moorage_core", "--root", "/x"]
    assert environment[programs.VARIABLE] == "/usr/bin/containerd"
