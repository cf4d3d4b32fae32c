from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from moorage_core.locks import Lock
from moorage_core.merges import Merged
from moorage_core.premises import Premises
from moorage_core.programs import MOORAGED
from moorage_core.settings import Settings, Top
from moorage_sdk import errors

Nobody = Callable[[], AbstractContextManager[None]]


def settings(base: Path, **more: str) -> Settings:
    places = {"root": str(base / "a" / "root"), "state": str(base / "b" / "state"), **more}
    return Settings(MOORAGED, Top(**places), Merged({}))  # type: ignore[arg-type]  # strings all of them


def below(base: Path) -> list[str]:
    return sorted(str(path.relative_to(base)) for path in base.rglob("*"))


def test_all_are_there_and_held_until_release(tmp_path: Path) -> None:
    premises = Premises(settings(tmp_path, temp=str(tmp_path / "temp")))
    modes = {each: (tmp_path / each).stat().st_mode & 0o777 for each in ("a/root", "b/state", "temp")}
    assert modes == {"a/root": 0o700, "b/state": 0o711, "temp": 0o700}
    for what in ("a/root", "b/state"):
        with pytest.raises(errors.FailedPrecondition, match="in use"):
            Lock(tmp_path / what, "it")
    premises.release()
    premises.release()
    Premises(settings(tmp_path)).release()


def test_withdrawing_leaves_what_was_there_before(tmp_path: Path) -> None:
    (tmp_path / "a" / "root").mkdir(parents=True)
    Premises(settings(tmp_path, temp=str(tmp_path / "temp"))).withdraw()
    assert below(tmp_path) == ["a", "a/root", "a/root/.lock"]
    Premises(settings(tmp_path)).release()


def test_withdrawing_leaves_what_somebody_put_there(tmp_path: Path) -> None:
    premises = Premises(settings(tmp_path))
    (tmp_path / "b" / "state" / "precious").touch()
    premises.withdraw()
    assert below(tmp_path) == ["b", "b/state", "b/state/precious"]


@pytest.mark.parametrize("which", ["root", "state", "temp"])
def test_one_that_is_refused_leaves_nothing_of_the_others(public: Path, nobody: Nobody, which: str) -> None:
    """A daemon whose state directory was refused had made its root, and locked it."""
    (public / "closed").mkdir(mode=0o700)
    with nobody(), pytest.raises(errors.PermissionDenied, match=f'"{public}/closed"'):
        Premises(settings(public, **{which: str(public / "closed")}))
    assert below(public) == ["closed"]


def test_one_that_another_daemon_has_leaves_nothing_of_the_others(tmp_path: Path) -> None:
    (tmp_path / "b" / "state").mkdir(parents=True)
    other = Lock(tmp_path / "b" / "state", "state")
    with pytest.raises(errors.FailedPrecondition, match="in use"):
        Premises(settings(tmp_path))
    assert below(tmp_path) == ["b", "b/state", "b/state/.lock"]
    other.release()
