"""The runtime of runc and crun containers: ``io.containerd.runtime.v1.runc``."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass

from moorage_runtime_runc import inspections
from moorage_runtime_runc.inspections import Inspector
from moorage_runtime_runc.placements import Monitors
from moorage_runtime_runc.supervisors import MonitorRuntime, Place
from moorage_sdk import addresses
from moorage_sdk.deprecations import DEPRECATIONS
from moorage_sdk.runtimes import RUNTIME, Runtime
from moorage_sdk.slots import InitContext, Plugin

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Config:
    binary: str = "runc"
    """The OCI runtime of containers whose client names none: a name in PATH, such as ``crun``, or an absolute path."""
    relay: bool = False
    """Copy all output through the monitor, as a pipe of its own, instead of handing out the FIFOs."""
    linger: float = 30.0
    """Seconds that a monitor without containers outlives the daemon."""
    start_timeout: float = 15.0
    """Seconds that a monitor may take to start."""

    old_runtime: str = "warn"
    """What to do about a runc or crun that containers are known to get out of: ``warn``, ``refuse`` or ``ignore``."""

    def __post_init__(self) -> None:
        for name in ("linger", "start_timeout"):
            if not 0 <= getattr(self, name) < math.inf:  # which NaN is not, either
                raise ValueError(f"{name} must be a number of seconds, 0 or more")
        if not self.binary:
            raise ValueError("binary must not be empty")
        if self.old_runtime not in inspections.POLICIES:
            raise ValueError(f"old_runtime must be one of {', '.join(inspections.POLICIES)}")


def make(ctx: InitContext, config: Config) -> Runtime:
    arguments = ["--linger", str(config.linger), "--binary", config.binary, *(["--relay"] if config.relay else [])]
    place = Place(ctx.state, addresses.grpc(ctx), addresses.ttrpc(ctx), arguments)

    def monitor(place: Place) -> Runtime:
        runtime = MonitorRuntime(place, config.start_timeout)
        ctx.on_close(runtime.close)
        return runtime

    register = next(iter(ctx.all(DEPRECATIONS).values()), None)
    inspector = Inspector(config.old_runtime, register.warn if register else _log, config.binary)
    return Monitors(place, monitor, inspector.inspect)


def _log(id: str, message: str) -> None:
    log.warning("%s: %s", id, message)


plugin = Plugin(RUNTIME, "runc", make, Config, requires=(DEPRECATIONS,))
