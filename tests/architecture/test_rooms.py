"""The table of rooms names every folder of the tree once, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

TABLE = "docs/explanation/rooms.md"


def rows(root: Path) -> dict[str, str]:
    lines = (root / TABLE).read_text("utf-8").splitlines()
    matches = [re.fullmatch(r"\| `([^`]+)` \| (.+) \|", line) for line in lines]
    found = [match.groups() for match in matches if match]
    assert len(found) == len(dict(found)), "a room is listed twice"
    return dict(found)


def test_every_member_is_in_the_table(root: Path, members: list[Any]) -> None:
    wanted = {str(member.folder.relative_to(root)) for member in members}
    wanted |= {
        f"tests/{path.name}" for path in (root / "tests").iterdir() if path.is_dir() and path.name[0] not in "._"
    }
    assert set(rows(root)) == wanted


def test_every_room_has_one_sentence(root: Path) -> None:
    for room, sentence in rows(root).items():
        assert sentence.endswith("."), room
        assert len(sentence) > 20, room
