"""Registration: the plugin ``io.containerd.sink.v1.log``."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from moorage_sdk.events import SINK, Sink
from moorage_sdk.slots import InitContext, Plugin
from moorage_sink_log.sinks import FileSink, LogSink

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING}


@dataclass(frozen=True)
class Config:
    path: str = ""
    """A file for JSON lines, as an absolute path; empty for the daemon's log."""
    level: Literal["debug", "info", "warn"] = "debug"
    """The level of events in the daemon's log."""

    def __post_init__(self) -> None:
        if self.path and not Path(self.path).is_absolute():
            raise ValueError(f'path "{self.path}": must be absolute')


def make(ctx: InitContext, config: Config) -> Sink:
    """Make the sink for the file, or for the log."""
    if not config.path:
        return LogSink(_LEVELS[config.level])
    sink = FileSink(Path(config.path))
    ctx.on_close(sink.close)
    return sink


plugin = Plugin(SINK, "log", make, Config)
