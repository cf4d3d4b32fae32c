"""Every source file has a test file with its name."""

from __future__ import annotations

from typing import Any

WITHOUT = {"__init__.py", "__main__.py"}


def test_every_module_has_its_test(member: Any) -> None:
    missing = []
    for module in member.modules():
        if module.name in WITHOUT:
            continue
        place = module.relative_to(member.source)
        test = member.folder / "tests" / place.with_name(f"test_{place.name}")
        if not test.is_file():
            missing.append(str(test.relative_to(member.folder)))
    assert missing == []


def test_no_test_file_outlives_its_module(member: Any) -> None:
    orphans = []
    for test in sorted((member.folder / "tests").rglob("test_*.py")):
        place = test.relative_to(member.folder / "tests")
        name = place.with_name(place.name.removeprefix("test_"))
        # A generator of committed files is no part of the package; it lies beside pyproject.toml.
        found = (member.source / name).is_file() or (member.folder / name).is_file()
        if not found and place.name != "test_conformance.py":
            orphans.append(str(place))
    assert orphans == []


def test_no_module_is_called_utils(member: Any) -> None:
    refused = {"utils", "util", "helpers", "helper", "common", "misc"}
    assert [module for module in member.modules() if module.stem in refused] == []
