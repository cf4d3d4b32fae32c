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
    """A module with much to test has further files beside its own, ``test_<module>_<subject>.py``."""
    orphans = []
    for test in sorted((member.folder / "tests").rglob("test_*.py")):
        place = test.relative_to(member.folder / "tests")
        names = [place.with_name(f"{stem}.py") for stem in subjects(place.stem.removeprefix("test_"))]
        # A generator of committed files is no part of the package; it lies beside pyproject.toml.
        found = any((folder / name).is_file() for folder in (member.source, member.folder) for name in names)
        if not found and place.name != "test_conformance.py":
            orphans.append(str(place))
    assert orphans == []


def subjects(stem: str) -> list[str]:
    """A name and what is left of it without its last words: ``["a_b", "a"]``."""
    words = stem.split("_")
    return ["_".join(words[:end]) for end in range(len(words), 0, -1)]


def test_no_module_is_called_utils(member: Any) -> None:
    refused = {"utils", "util", "helpers", "helper", "common", "misc"}
    assert [module for module in member.modules() if module.stem in refused] == []
