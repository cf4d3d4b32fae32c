"""The stacks are worth laying: a plain directory takes them, and every layer but the empty one changes it."""

from pathlib import Path

import pytest

from moorage_testkit import trees
from moorage_testkit.suites.layers import STACKS, deep


@pytest.mark.root
@pytest.mark.parametrize("name", STACKS)
def test_every_layer_changes_something(tmp_path: Path, name: str) -> None:
    before = trees.read(tmp_path)
    for change in STACKS[name]:
        change(tmp_path)
        after = trees.read(tmp_path)
        assert after != before or change is STACKS["deleted in a child"][3]
        before = after


def test_deep_stack_has_its_depth(tmp_path: Path) -> None:
    for change in deep(5):
        change(tmp_path)
    assert (tmp_path / "overwritten").read_text() == "by 4\n"
    assert sorted(file.name for file in (tmp_path / "added to").iterdir()) == [f"file-{n}" for n in range(1, 5)]
    assert [file.name for file in (tmp_path / "made anew").iterdir()] == ["file-4"]
