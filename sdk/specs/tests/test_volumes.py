from pathlib import Path

import pytest

from moorage_sdk import errors
from moorage_specs import volumes


def test_a_bind_mount(tmp_path: Path) -> None:
    volume = volumes.parse(f"{tmp_path}:/data/./x:ro,nosuid")
    assert volume.mount() == {
        "destination": "/data/x",
        "type": "bind",
        "source": str(tmp_path),
        "options": ["rbind", "rprivate", "ro", "nosuid"],
    }


def test_propagation_replaces_the_default(tmp_path: Path) -> None:
    assert volumes.parse(f"{tmp_path}:/x:rshared").mount()["options"] == ["rbind", "rshared"]


def test_relabelling_is_ignored(tmp_path: Path) -> None:
    assert volumes.parse(f"{tmp_path}:/x:Z").options == ()


def test_relative_sources_are_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    assert volumes.parse("./sub:/x").source == str(tmp_path / "sub")


@pytest.mark.parametrize(
    "text", ["/x", ":/x", "/tmp:", "/tmp:x", "/tmp:/", "/tmp:/a/..", "/tmp://", "name:/x", "/tmp:/x:bogus"]
)
def test_malformed(text: str) -> None:
    with pytest.raises(errors.InvalidArgument):
        volumes.parse(text)


def test_a_source_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(errors.NotFound):
        volumes.parse(f"{tmp_path}/nothing:/x")
    assert not (tmp_path / "nothing").exists()
