"""Registration: the plugin ``io.containerd.runtime-preset.v1.kata``."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from moorage_runtime_kata import presets
from moorage_runtime_kata.presets import DEFAULT, Handler, KataPreset
from moorage_sdk.presets import RUNTIME_PRESET, RuntimePreset
from moorage_sdk.slots import InitContext, Plugin

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Runtime:
    runtime_path: str = ""
    """The shim, as an absolute path; empty for ``containerd-shim-kata-v2`` on ``PATH``."""
    config_path: str = ""
    """Kata's configuration file for containers that name none; empty for the one that the shim finds by itself."""
    annotations: tuple[str, ...] = ()
    """Annotations ``io.katacontainers.*`` that get to the shim; ``*`` stands for anything."""


@dataclass(frozen=True)
class Config:
    runtimes: Mapping[str, Runtime] = field(default_factory=lambda: {DEFAULT: Runtime()})
    """Runtime names, such as ``io.containerd.kata-qemu.v2``, and how each is carried."""

    def __post_init__(self) -> None:
        found = [fault for name, each in self.runtimes.items() for fault in presets.faults(name, handler(each))]
        if found:
            raise ValueError("; ".join(found))


def handler(told: Runtime) -> Handler:
    return Handler(told.runtime_path, told.config_path, told.annotations)


def make(ctx: InitContext, config: Config) -> RuntimePreset:
    """Make the preset. It is there also where the shim is not yet, or its first container would be unguarded."""
    handlers = {name: handler(each) for name, each in config.runtimes.items()}
    for warning in presets.warnings(handlers):
        log.warning("%s", warning)
    return KataPreset(handlers)


plugin = Plugin(RUNTIME_PRESET, "kata", make, Config)
