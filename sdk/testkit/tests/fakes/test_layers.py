import io
import tarfile
from pathlib import Path

from moorage_testkit.fakes import layers
from moorage_testkit.images import File, directory, layer


def extract(root: Path, files: list[File], *, keep: bool = False) -> None:
    root.mkdir(exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(layer(files))) as archive:
        layers.extract(archive, archive, root, keep_whiteouts=keep)


def tree(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


LOWER = [directory("d"), File("d/old", b"1"), directory("e"), File("e/deep/x", b"1"), File("f", b"1"), File("g", b"1")]
UPPER = [
    File("d/new", b"2"),
    File("d/.wh..wh..opq"),
    File(".wh.f"),
    File("e/.wh.deep"),
    directory("g"),
    File("g/now", b"2"),
    File("link", link="g/now"),
]
RESULT = ["d", "d/new", "e", "g", "g/now", "link"]


def test_whiteouts_are_carried_out(tmp_path: Path) -> None:
    extract(tmp_path / "r", LOWER)
    extract(tmp_path / "r", UPPER)
    assert tree(tmp_path / "r") == RESULT


def test_kept_whiteouts_are_carried_out_by_merging(tmp_path: Path) -> None:
    extract(tmp_path / "lower", LOWER)
    extract(tmp_path / "upper", UPPER, keep=True)
    layers.merge(tmp_path / "upper", tmp_path / "lower")
    assert tree(tmp_path / "lower") == RESULT
    assert (tmp_path / "lower" / "link").read_bytes() == b"2"
