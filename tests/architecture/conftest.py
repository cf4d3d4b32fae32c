"""The tree as the tests of this folder see it: found by one glob, never listed."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PATTERNS = ("sdk/*", "core", "plugins/*", "plugins_ext/*")


@dataclass(frozen=True)
class Member:
    """One distribution: ``place`` is ``sdk``, ``core``, ``plugins`` or ``plugins_ext``."""

    place: str
    folder: Path
    project: dict[str, Any]
    hatch: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.project["name"])

    @property
    def package(self) -> str:
        """The import name, as the wheel's configuration gives it."""
        (package,) = self.hatch["build"]["targets"]["wheel"]["packages"]
        return Path(package).name

    @property
    def source(self) -> Path:
        return self.folder / "src" / self.package

    def modules(self) -> list[Path]:
        return sorted(self.source.rglob("*.py"))


def find_members() -> list[Member]:
    found = []
    for pattern in PATTERNS:
        for file in sorted(ROOT.glob(f"{pattern}/pyproject.toml")):
            document = tomllib.loads(file.read_text("utf-8"))
            place = "core" if pattern == "core" else pattern.partition("/")[0]
            found.append(Member(place, file.parent, document["project"], document["tool"]["hatch"]))
    return found


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def members() -> list[Member]:
    return find_members()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "member" in metafunc.fixturenames:
        metafunc.parametrize("member", find_members(), ids=lambda member: member.name)
