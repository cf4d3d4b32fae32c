import logging
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from moorage_sdk import config
from moorage_sdk.events import SINK, Envelope, Payload
from moorage_sink_log.plugin import Config, plugin

EVENT = Envelope(1, "default", "/a", Payload("t", b""))


def test_without_a_path_events_go_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "moorage.events")
    ctx: Any = SimpleNamespace()
    plugin.make(ctx, Config(level="warn")).deliver(EVENT)
    assert caplog.records[0].levelno == logging.WARNING


def test_with_a_path_they_go_to_the_file(tmp_path: Path) -> None:
    closers: list[Callable[[], None]] = []
    ctx: Any = SimpleNamespace(on_close=closers.append)
    plugin.make(ctx, Config(path=str(tmp_path / "events"))).deliver(EVENT)
    closers[0]()
    assert (tmp_path / "events").read_text().count("\n") == 1


def test_names() -> None:
    assert plugin.slot is SINK
    assert plugin.uri == "io.containerd.sink.v1.log"


@pytest.mark.parametrize(
    ("table", "why"), [({"path": "relative"}, "must be absolute"), ({"level": "loud"}, "expected one of")]
)
def test_bad_settings_are_refused(table: dict[str, Any], why: str) -> None:
    assert why in str(config.decode(Config, table).faults[0])
