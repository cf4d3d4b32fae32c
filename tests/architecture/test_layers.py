"""The import contracts speak of every member, and hold."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any


def contracts(root: Path) -> dict[str, Any]:
    settings = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    return {contract["id"]: contract for contract in settings["contracts"]} | {"root": settings}


def test_the_contracts_cover_the_tree(root: Path, members: list[Any]) -> None:
    found = contracts(root)
    assert set(found["root"]["root_packages"]) == {member.package for member in members}
    outside = {member.package for member in members if member.place != "sdk"}
    assert set(found["plugins"]["modules"]) == outside
    layered = {name for layer in found["downwards"]["layers"] for name in layer.split(" : ")}
    assert layered == {member.package for member in members if member.place == "sdk"}
    assert set(found["kernel"]["forbidden_modules"]) == layered - {"moorage_sdk"}


def test_the_contracts_hold(root: Path) -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run([linter], cwd=root, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-3000:]
