from __future__ import annotations

import pytest

from moorage_runtime_runc import advisories

NEWEST = ("CVE-2026-41579",)
LATE_2025 = ("CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881")


@pytest.mark.parametrize(
    ("version", "missing"),
    [
        ("1.3.6", ()),
        ("1.4.3", ()),
        ("1.5.0-rc.3", ()),
        ("1.5.0", ()),
        ("1.6.0", ()),
        ("2.0.0", ()),
        ("1.4.2", NEWEST),
        ("1.5.0-rc.2", NEWEST),
        ("1.3.3", NEWEST),
        ("1.2.8", NEWEST),
        ("1.2.9", NEWEST),
        ("1.4.0-rc.3", NEWEST),
        ("1.4.0-rc.2", (*LATE_2025, *NEWEST)),
        ("1.3.2", (*LATE_2025, *NEWEST)),
        ("1.2.0", (*LATE_2025, *NEWEST)),
        ("1.1.14", (*LATE_2025, *NEWEST)),
        ("1.1.13", ("CVE-2024-45310", *LATE_2025, *NEWEST)),
        ("1.2.0-rc.2", ("CVE-2024-45310", *LATE_2025, *NEWEST)),
        ("1.1.11", ("CVE-2024-21626", "CVE-2024-45310", *LATE_2025, *NEWEST)),
    ],
)
def test_sec_5_9_10_61_what_a_version_of_runc_is_too_old_for(version: str, missing: tuple[str, ...]) -> None:
    found = advisories.read(f"runc version {version}\ncommit: x\n")
    assert found is not None and not found.patched
    assert found.missing == missing


@pytest.mark.parametrize(("version", "missing"), [("1.20", ()), ("1.21.1", ()), ("1.19.1", ("CVE-2025-24965",))])
def test_what_a_version_of_crun_is_too_old_for(version: str, missing: tuple[str, ...]) -> None:
    found = advisories.read(f"crun version {version}")
    assert found is not None
    assert found.missing == missing


def test_the_first_runc_is_too_old_for_everything() -> None:
    found = advisories.read("runc version 1.0.0-rc6")
    assert found is not None
    assert found.missing == tuple(advisories.FIXES["runc"])


@pytest.mark.parametrize(
    ("version", "number"),
    [
        ("1.1.5+ds1", (1, 1, 5, 1 << 16)),
        ("1.1.12-0ubuntu2~22.04.1", (1, 1, 12, 1 << 16)),
        ("1.0.0~rc93+ds1", (1, 0, 0, 93)),
        ("1.3.0-dev", (1, 3, 0, 1 << 16)),
    ],
)
def test_versions_of_distributions_say_so(version: str, number: tuple[int, ...]) -> None:
    found = advisories.read(f"runc version {version}")
    assert found is not None and found.patched
    assert found.number == number


@pytest.mark.parametrize(
    "report", ["", "\n", "runc", "runc version", "runc version new", "youki version 0.5.0", "1.1.5"]
)
def test_other_programs(report: str) -> None:
    assert advisories.read(report) is None


def test_every_fix_is_a_version() -> None:
    for name, faults in advisories.FIXES.items():
        for fix in (fix for fixes in faults.values() for fix in fixes.split()):
            found = advisories.read(f"{name} version {fix}")
            assert found is not None and not found.patched
