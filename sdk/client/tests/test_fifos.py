import stat
from pathlib import Path

from moorage_client import fifos


def test_modes_do_not_depend_on_the_umask(tmp_path: Path) -> None:
    made = fifos.create(stdin=True, terminal=False, folder=tmp_path / "f")
    assert stat.S_IMODE(made.directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o700
    for path in (made.stdio.stdin, made.stdio.stdout, made.stdio.stderr):
        mode = Path(path).stat().st_mode
        assert stat.S_ISFIFO(mode)
        assert stat.S_IMODE(mode) == 0o600


def test_a_terminal_has_one_output(tmp_path: Path) -> None:
    made = fifos.create(stdin=False, terminal=True, folder=tmp_path)
    assert (made.stdio.stdin, made.stdio.stderr, made.stdio.terminal) == ("", "", True)
    assert made.stdio.stdout


def test_they_are_removed(tmp_path: Path) -> None:
    with fifos.temporary(stdin=True, terminal=False, folder=tmp_path) as made:
        assert made.directory.exists()
    assert list(tmp_path.iterdir()) == []
    made.remove()
