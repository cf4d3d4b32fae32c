from pathlib import Path

import pytest

from moorage_differ_walking.activations import ActivatingDiffer
from moorage_differ_walking.differs import WalkingDiffer
from moorage_differ_walking.plugin import MAX_SECONDS, Config, plugin
from moorage_sdk import errors
from moorage_sdk.descriptors import OCI_LAYER, Descriptor
from moorage_sdk.differs import StreamApplier
from moorage_sdk.mounts import Mount
from moorage_sys import tar_runs
from moorage_testkit.fakes.activations import MemoryMountManager
from moorage_testkit.fakes.content import MemoryStore
from moorage_testkit.fakes.contexts import Context
from moorage_testkit.suites.blobs import put


def test_make(tmp_path: Path) -> None:
    context = Context(tmp_path)
    differ = plugin.make(context, Config())
    assert isinstance(differ, WalkingDiffer)
    assert isinstance(differ, StreamApplier)
    assert (context.state / "workspace").stat().st_mode & 0o777 == 0o700
    assert plugin.uri == "io.containerd.differ.v1.walking"


def test_the_table_of_stream_processors_is_its(tmp_path: Path) -> None:
    entry = {"accepts": ["a"], "returns": OCI_LAYER, "path": "turn", "args": ["-x"], "env": ["K=v"]}
    context, store = Context(tmp_path, tables={"stream_processors": {"turn": entry}}), MemoryStore()
    differ = plugin.make(context, Config())
    with pytest.raises(errors.Error, match=r'stream processor "turn" for "a": exec: "turn": not found in PATH'):
        differ.apply(Descriptor("a", put(store, b"x"), 1), (Mount("bind", str(tmp_path)),), store)


def test_mounts_are_borrowed_where_there_is_a_manager(tmp_path: Path) -> None:
    context = Context(tmp_path, plugins={"mount-manager": {"lmdb": MemoryMountManager()}})
    differ = plugin.make(context, Config())
    assert isinstance(differ, ActivatingDiffer)
    assert isinstance(differ, StreamApplier)


@pytest.mark.parametrize(("wanted", "said"), [(True, "with compiled"), (False, "without compiled")])
def test_says_whether_compiled_code_is_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, wanted: bool, said: str
) -> None:
    monkeypatch.setattr(tar_runs, "COMPILED", True)
    with caplog.at_level("INFO"):
        plugin.make(Context(tmp_path), Config(compiled=wanted))
    assert said in caplog.text


@pytest.mark.parametrize("field", ["max_entries", "max_size", "max_ratio", "max_seconds"])
def test_limits_are_positive(field: str) -> None:
    with pytest.raises(ValueError, match=field):
        Config(**{field: 0})


def test_an_alarm_can_be_set_for_the_longest_time() -> None:
    Config(max_seconds=MAX_SECONDS)
    with pytest.raises(ValueError, match="max_seconds must be at most"):
        Config(max_seconds=MAX_SECONDS + 1)
