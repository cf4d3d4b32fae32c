"""The runtime of runc and crun containers: ``io.containerd.runtime.v1.runc``."""

from __future__ import annotations

from dataclasses import dataclass

from moorage_runtime_runc.supervisors import MonitorRuntime, Place
from moorage_sdk import addresses
from moorage_sdk.runtimes import RUNTIME, Runtime
from moorage_sdk.slots import InitContext, Plugin


@dataclass(frozen=True)
class Config:
    """``relay`` copies all output through the monitor, as a pipe of its own, instead of handing out the FIFOs.

    ``linger`` is how long a monitor without containers outlives the daemon, ``start_timeout`` how long it may take to
    start; both in seconds.
    """

    relay: bool = False
    linger: float = 30.0
    start_timeout: float = 15.0


def make(ctx: InitContext, config: Config) -> Runtime:
    arguments = ["--linger", str(config.linger), *(["--relay"] if config.relay else [])]
    return MonitorRuntime(Place(ctx.state, addresses.grpc(ctx), addresses.ttrpc(ctx), arguments), config.start_timeout)


plugin = Plugin(RUNTIME, "runc", make, Config)
