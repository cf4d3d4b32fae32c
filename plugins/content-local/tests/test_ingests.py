from pathlib import Path

import pytest

from moorage_content_local import ingests
from moorage_content_local.ingests import Ingest
from moorage_sdk import errors


@pytest.fixture
def ingest(tmp_path: Path) -> Ingest:
    return Ingest(tmp_path / ingests.name("layer/0"), "layer/0")


def test_layout_is_containerds(ingest: Ingest) -> None:
    ingest.create(42)
    assert sorted(file.name for file in ingest.folder.iterdir()) == ["data", "ref", "startedat", "total", "updatedat"]
    assert (ingest.folder / "ref").read_text() == "layer/0"
    assert (ingest.folder / "total").read_text() == "42"
    assert {file.stat().st_mode & 0o777 for file in ingest.folder.iterdir()} == {0o600}


def test_create_replaces_what_a_crash_left(ingest: Ingest) -> None:
    ingest.folder.mkdir()
    ingest.data.write_bytes(b"half")
    with pytest.raises(errors.NotFound):
        ingest.status()
    ingest.create(0)
    assert (ingest.status().offset, ingest.status().total) == (0, 0)


def test_updated_at_is_that_of_the_bytes_or_the_file(ingest: Ingest) -> None:
    ingest.create(0)
    first = ingest.status()
    ingest.touch(first.updated_at + 10**12)
    assert ingest.status().updated_at == first.updated_at + 10**12
    assert ingest.status().started_at == first.started_at


@pytest.mark.parametrize(("name", "content"), [("startedat", "never"), ("startedat", "")])
def test_damaged_ingest_counts_as_none(ingest: Ingest, name: str, content: str) -> None:
    ingest.create(0)
    (ingest.folder / name).write_text(content)
    assert ingests.read(ingest.folder) is None


@pytest.mark.parametrize("text", ["", "-1", "٣", "9" * 3 + "x"])
def test_damaged_total_counts_as_unknown(ingest: Ingest, text: str) -> None:
    ingest.create(5)
    (ingest.folder / "total").write_text(text)
    assert ingest.status().total == 0
