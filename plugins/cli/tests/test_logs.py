import asyncio
import stat
from pathlib import Path

import pytest

from moorage_cli import logs
from moorage_sdk import errors


def test_modes(tmp_path: Path) -> None:
    path = logs.create("ns", "id", tmp_path / "logs")
    assert path == tmp_path / "logs/ns/id.log"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.parent.parent.stat().st_mode) == 0o700


def test_a_log_that_exists_is_kept(tmp_path: Path) -> None:
    logs.create("ns", "id", tmp_path).write_text("old")
    assert logs.create("ns", "id", tmp_path).read_text() == "old"


@pytest.mark.parametrize("id", ["../x", "a/b", "", "x" * 77])
def test_sec_63_names_that_would_lead_elsewhere(tmp_path: Path, id: str) -> None:
    with pytest.raises(errors.InvalidArgument):
        logs.create("ns", id, tmp_path)


def test_sec_63_a_link_in_its_place(tmp_path: Path) -> None:
    logs.create("ns", "id", tmp_path).unlink()
    (tmp_path / "ns/id.log").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="symbolic links"):
        logs.create("ns", "id", tmp_path)
    assert not (tmp_path / "victim").exists()


TEXT = b"".join(b"line %d\n" % number for number in range(20_000))


@pytest.mark.parametrize("lines", [0, 1, 2, 7, 19_999, 20_000, 20_001])
@pytest.mark.parametrize("data", [TEXT, TEXT.rstrip(b"\n"), b"", b"\n", b"\n\n\n", b"x", b"y" * 200_000])
def test_the_last_lines(tmp_path: Path, data: bytes, lines: int) -> None:
    (tmp_path / "log").write_bytes(data)
    expected = b"".join(data.splitlines(keepends=True)[-lines:]) if lines else b""
    with logs.open_log(tmp_path / "log") as log:
        logs.seek_tail(log, lines)
        assert b"".join(logs.pieces(log)) == expected


def test_following_misses_nothing_that_was_written_before_the_end(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one ")

    async def main() -> bytes:
        ended = asyncio.get_running_loop().create_future()
        seen = b""
        with logs.open_log(path) as log, open(path, "ab", buffering=0) as writer:
            async for data in logs.follow(log, ended):
                seen += data
                if seen == b"one ":
                    writer.write(b"two ")
                elif seen == b"one two ":
                    writer.write(b"three")
                    ended.set_result(None)
        return seen

    assert asyncio.run(main()) == b"one two three"


def test_no_log(tmp_path: Path) -> None:
    with pytest.raises(errors.NotFound):
        logs.open_log(tmp_path / "none")
