"""The suite held against the fake, whose list is filtered with the filters of the API."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from moorage_api import filters
from moorage_sdk.snapshots import Info
from moorage_testkit.fakes.snapshotters import DirectorySnapshotter
from moorage_testkit.suites.filters import FilterSuite


class Listed(DirectorySnapshotter):
    def matching(self, wanted: Sequence[str]) -> list[Info]:
        chosen = filters.parse(wanted)
        return [info for info in self.walk() if chosen.match(lambda path, info=info: field(info, path))]


class Deaf(Listed):
    def matching(self, wanted: Sequence[str]) -> list[Info]:
        return list(self.walk())


def field(info: Info, path: Sequence[str]) -> tuple[str, bool]:
    if path[0] == "labels":
        name = ".".join(path[1:])
        return info.labels.get(name, ""), name in info.labels
    plain = {"kind": info.kind.name.lower(), "name": info.name, "parent": info.parent}
    return plain[path[0]], True


class TestListed(FilterSuite):
    @pytest.fixture
    def snapshotter(self, tmp_path: Path) -> Listed:
        return Listed(tmp_path / "root")

    @pytest.fixture
    def filtering(self, snapshotter: Listed) -> Listed:
        return snapshotter


def test_suite_notices_a_list_that_is_not_filtered(tmp_path: Path) -> None:
    deaf = Deaf(tmp_path / "root")
    with pytest.raises(AssertionError):
        FilterSuite().test_filters(deaf, deaf, "active")
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        FilterSuite().test_filter_that_is_none_is_refused(deaf)
