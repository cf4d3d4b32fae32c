from pathlib import Path

import pytest

from moorage_differ_walking.differs import WalkingDiffer
from moorage_differ_walking.plugin import Config, plugin
from moorage_sdk.differs import StreamApplier
from moorage_testkit.fakes.contexts import Context


def test_make(tmp_path: Path) -> None:
    context = Context(tmp_path)
    differ = plugin.make(context, Config())
    assert isinstance(differ, WalkingDiffer)
    assert isinstance(differ, StreamApplier)
    assert (context.state / "workspace").stat().st_mode & 0o777 == 0o700
    assert plugin.uri == "io.containerd.differ.v1.walking"


@pytest.mark.parametrize("field", ["max_entries", "max_size", "max_ratio", "max_seconds"])
def test_limits_are_positive(field: str) -> None:
    with pytest.raises(ValueError, match=field):
        Config(**{field: 0})
