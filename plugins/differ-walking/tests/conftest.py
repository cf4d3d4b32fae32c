"""Everything about writing entries holds with compiled code and without, in a plain directory and in an overlay."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from moorage_differ_walking import unpacking
from moorage_differ_walking.extractions import Extraction
from moorage_differ_walking.limits import Limits
from moorage_sdk.mounts import Mount
from moorage_sys import mounts, tar_runs
from moorage_testkit import trees
from moorage_testkit.cases import Case

Unpack = Callable[..., None]
Apply = Callable[[Case], None]


@pytest.fixture(scope="module", params=["compiled", "python"])
def code(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "compiled" and not tar_runs.COMPILED:
        pytest.skip("moorage-sys was built without a compiler")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tar_runs, "COMPILED", request.param == "compiled")
        yield request.param


@pytest.fixture
def host() -> Iterator[None]:
    """What must be untouched after every layer, however hostile."""
    places = [Path("/"), Path("/etc"), Path("/usr"), Path("/etc/passwd")]
    before = [(place.stat().st_mtime_ns, place.stat().st_mode) for place in places]
    yield
    assert [(place.stat().st_mtime_ns, place.stat().st_mode) for place in places] == before
    assert not any(Path(name).exists() for name in ("/etc/unbroken", "/tmp/breakout", "/etc/emptied", "/breakouts"))


@pytest.fixture
def unpack() -> Unpack:
    """Extract a layer into a directory, with settings of ``Extraction``."""

    def unpack(folder: Path, layer: bytes, limits: Limits | None = None, **settings: object) -> None:
        root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        limits = limits or Limits()
        try:
            extraction = Extraction(root, limits, **settings)  # type: ignore[arg-type]  # passed on
            unpacking.unpack(io.BytesIO(layer), "", extraction, limits)
        finally:
            os.close(root)

    return unpack


@pytest.fixture
def plain(unpack: Unpack, tmp_path: Path) -> Apply:
    """Try a case in a plain directory."""

    def plain(case: Case) -> None:
        root = tmp_path / "root"
        root.mkdir()
        case.before(root)
        if case.error:
            before = trees.read(tmp_path) if case.untouched else None
            with pytest.raises(case.error):
                unpack(root, case.layer.end())
            assert before is None or trees.read(tmp_path) == before
            return
        unpack(root, case.layer.end())
        case.check(root)
        assert [entry.name for entry in tmp_path.iterdir()] == ["root"]

    return plain


@pytest.fixture
def overlaid(unpack: Unpack, tmp_path: Path) -> Apply:
    """Try a case in the upper directory of an overlay, which must show what a plain directory has."""

    def overlaid(case: Case) -> None:
        parts = {part: tmp_path / part for part in ("plain", "lower", "upper", "work", "merged")}
        for part in parts.values():
            part.mkdir(mode=0o755)
        case.before(parts["plain"])
        case.before(parts["lower"])
        lower = os.open(parts["lower"], os.O_RDONLY | os.O_DIRECTORY)
        try:
            if case.error:
                with pytest.raises(case.error):
                    unpack(parts["upper"], case.layer.end(), overlay=True, below=[lower])
                return
            unpack(parts["upper"], case.layer.end(), overlay=True, below=[lower])
        finally:
            os.close(lower)
        unpack(parts["plain"], case.layer.end())
        directories = f"lowerdir={parts['lower']}"
        upper = (f"upperdir={parts['upper']}", f"workdir={parts['work']}")
        mounts.mount(Mount("overlay", "overlay", (directories, *upper)), parts["merged"])
        try:
            case.check(parts["merged"])
            hidden = ("trusted.overlay.", "security.selinux")
            merged, plain = trees.read(parts["merged"], hidden=hidden), trees.read(parts["plain"])
            for path in case.differs:
                merged.pop(path, None), plain.pop(path, None)
            assert merged == plain
        finally:
            mounts.unmount_all(parts["merged"])

    return overlaid
