from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moorage_runtime_runc.plugin import Config, make, plugin
from moorage_sdk.slots import Daemon


class Context:
    """As much of the kernel's context as the plugin asks for."""

    state = Path("/run/x/io.containerd.runtime.v1.runc")
    daemon = Daemon(Path("/var/lib/x"), Path("/run/x"), "0.1.0", "mooraged")

    def __init__(self, tables: dict[str, Any]) -> None:
        self.tables = tables
        self.closes: list[Callable[[], None]] = []

    def on_close(self, close: Callable[[], None]) -> None:
        self.closes.append(close)

    def all(self, slot: Any) -> Any:
        return {}

    def table(self, uri: str) -> Any:
        return self.tables.get(uri, {})


def test_names_and_uri() -> None:
    assert plugin.uri == "io.containerd.runtime.v1.runc"
    context = Context({})
    runtime: Any = make(context, Config())  # type: ignore[arg-type]
    assert "io.containerd.runc.v2" in runtime.names
    (close,) = context.closes
    close()
    assert runtime._monitors[""]._closed


def test_events_go_where_the_daemon_listens() -> None:
    def command(tables: dict[str, Any], **config: Any) -> list[str]:
        runtime: Any = make(Context(tables), Config(**config))  # type: ignore[arg-type]
        return list(runtime._monitors[""]._place.command())

    default = command({})
    assert default[default.index("--events") + 1] == "/run/x/moorage.sock.ttrpc"
    own = command({"io.containerd.server.v1.grpc": {"address": "/a"}}, relay=True, linger=3.0)
    assert own[own.index("--events") + 1] == "/a.ttrpc" and "--relay" in own and "3.0" in own
    assert default[default.index("--binary") + 1] == "runc"
    crun = command({}, binary="crun")
    assert crun[crun.index("--binary") + 1] == "crun"
    apart = command({"io.containerd.server.v1.ttrpc": {"address": "/b"}})
    assert apart[apart.index("--events") + 1] == "/b"


def test_the_default_runtime_has_a_name() -> None:
    with pytest.raises(ValueError, match="binary must not be empty"):
        Config(binary="")


@pytest.mark.parametrize("name", ["linger", "start_timeout"])
@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_times_are_numbers_of_seconds(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        Config(**{name: value})  # type: ignore[arg-type]


def test_old_runtimes_are_warned_of_refused_or_ignored() -> None:
    assert Config().old_runtime == "warn"
    with pytest.raises(ValueError, match="old_runtime must be one of warn, refuse, ignore"):
        Config(old_runtime="forbid")
