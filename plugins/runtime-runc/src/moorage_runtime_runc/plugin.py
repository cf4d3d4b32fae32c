"""The runtime of runc and crun containers: ``io.containerd.runtime.v1.runc``."""

from __future__ import annotations

import math
from dataclasses import dataclass

from moorage_runtime_runc.placements import Monitors
from moorage_runtime_runc.supervisors import MonitorRuntime, Place
from moorage_sdk import addresses
from moorage_sdk.runtimes import RUNTIME, Runtime
from moorage_sdk.slots import InitContext, Plugin


@dataclass(frozen=True)
class Config:
    relay: bool = False
    """Copy all output through the monitor, as a pipe of its own, instead of handing out the FIFOs."""
    linger: float = 30.0
    """Seconds that a monitor without containers outlives the daemon."""
    start_timeout: float = 15.0
    """Seconds that a monitor may take to start."""

    def __post_init__(self) -> None:
        for name in ("linger", "start_timeout"):
            if not 0 <= getattr(self, name) < math.inf:  # which NaN is not, either
                raise ValueError(f"{name} must be a number of seconds, 0 or more")


def make(ctx: InitContext, config: Config) -> Runtime:
    arguments = ["--linger", str(config.linger), *(["--relay"] if config.relay else [])]
    place = Place(ctx.state, addresses.grpc(ctx), addresses.ttrpc(ctx), arguments)

    def monitor(place: Place) -> Runtime:
        runtime = MonitorRuntime(place, config.start_timeout)
        ctx.on_close(runtime.close)
        return runtime

    return Monitors(place, monitor)


plugin = Plugin(RUNTIME, "runc", make, Config)
