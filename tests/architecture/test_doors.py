"""One door per foreign package, and the kernel knows nothing of containers."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DOORS = {
    "stevedore": {"core"},
    "lmdb": {"sdk/kv"},
    "cffi": {"sdk/sys"},
    "ctypes": {"sdk/sys"},
    "pyroute2": {"plugins/network-cni"},
    "grpc": {"sdk/api", "sdk/client", "plugins/services", "plugins/server-grpc", "plugins/cri", "plugins/proxy"},
    "urllib3": {"plugins/transfer-local"},
    "click": {"plugins/cli"},
    "rich": {"plugins/cli"},
    "pluggy": {"core", "sdk/slots"},
    "tarfile": set(),
}
ANYWHERE_IN = {"sdk/testkit"}


def imports(module: Path) -> Iterator[str]:
    """Top-level names of all imports of a module, those inside functions too."""
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def test_foreign_packages_come_through_their_door(member: Any, root: Path) -> None:
    place = str(member.folder.relative_to(root))
    if place in ANYWHERE_IN:
        return
    used = {name for module in member.modules() for name in imports(module)}
    assert {name for name in used & DOORS.keys() if place not in DOORS[name]} == set()


def test_the_sdk_has_only_the_markers_of_pluggy(root: Path) -> None:
    users = [m.name for m in (root / "sdk/slots/src/moorage_sdk").glob("*.py") if "pluggy" in set(imports(m))]
    assert users == ["hooks.py"]


def test_the_kernel_knows_nothing_of_containers(root: Path) -> None:
    pattern = re.compile("snapshot|image|grpc", re.IGNORECASE)
    lines = [
        f"{module.name}:{number}: {line.strip()}"
        for module in sorted((root / "core/src").rglob("*.py"))
        for number, line in enumerate(module.read_text("utf-8").splitlines(), 1)
        if pattern.search(line)
    ]
    assert lines == []


def test_dependencies_are_declared(member: Any, members: list[Any]) -> None:
    """What a member imports of its siblings stands in its ``dependencies``, and nothing else does."""
    packages = {other.package: other.name for other in members}
    used = {packages[name] for module in member.modules() for name in imports(module) if name in packages}
    declared = {re.split(r"[ =<>~!\[;]", entry)[0] for entry in member.project.get("dependencies", [])}
    siblings = {name for name in declared if name in packages.values()}
    assert siblings == used - {member.name}
