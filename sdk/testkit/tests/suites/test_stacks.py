"""That the suite notices a snapshotter that is wrong."""

import os
from pathlib import Path

import pytest

from moorage_testkit.fakes.snapshotters import DirectorySnapshotter
from moorage_testkit.suites.layers import STACKS
from moorage_testkit.suites.stacks import check_layers


class Barren(DirectorySnapshotter):
    """Gives children nothing of their parent."""

    def prepare(self, key, parent="", labels=None):  # type: ignore[no-untyped-def]
        return super().prepare(key, "", labels)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_suite_notices_children_without_their_parents_files(tmp_path: Path) -> None:
    stack = STACKS["file update in a layer (docker 21555)"]
    with pytest.raises((AssertionError, OSError)):
        check_layers(Barren(tmp_path / "root"), tmp_path, stack)
