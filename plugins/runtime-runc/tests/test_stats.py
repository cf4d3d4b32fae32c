from __future__ import annotations

from pathlib import Path

import pytest

from moorage_runtime_runc import stats
from moorage_runtime_runc.cgroups import Cgroup
from moorage_sdk import errors


def test_numbers_of_all_kinds(tmp_path: Path) -> None:
    path = tmp_path / "n"
    for text, number in (("12\n", 12), ("max\n", stats.MAX), ("", 0), ("nonsense", 0), ("-1\n", stats.MAX)):
        path.write_text(text)
        assert stats.number(path) == number
    assert stats.number(tmp_path / "none") == 0
    path.write_text("max")
    assert stats.number(path, unlimited=0) == 0


def test_tables_and_assignments_skip_what_is_malformed(tmp_path: Path) -> None:
    path = tmp_path / "t"
    path.write_text("a 1\nb\nc x\nd 4 5\ne 6\n")
    assert stats.table(path) == {"a": 1, "e": 6}
    path.write_text("some a=1 b=2=3 c\n")
    assert list(stats.assignments(path)) == [("some", {"a": "1", "b": "2=3"})]


def test_page_sizes(tmp_path: Path) -> None:
    for name in ("hugetlb.2MB.current", "hugetlb.1GB.current", "hugetlb.2MB.rsvd.current", "hugetlb.2MB.max"):
        (tmp_path / name).touch()
    assert stats.page_sizes(tmp_path, "current") == ["1GB", "2MB"]


def test_a_cgroup_that_is_gone() -> None:
    for paths in ({"": Path("/no/such")}, {"pids": Path("/no/such"), "memory": Path("/no/such")}):
        with pytest.raises(errors.NotFound, match="cgroup does not exist"):
            stats.collect(Cgroup(paths))
