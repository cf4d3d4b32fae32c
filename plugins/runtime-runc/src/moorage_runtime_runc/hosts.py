"""What every container of a monitor shares."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from moorage_runtime_runc.deposits import Deposits
from moorage_runtime_runc.grace_periods import GracePeriods
from moorage_runtime_runc.reapers import Reaper
from moorage_runtime_runc.runtimes import DEFAULT_BINARY
from moorage_runtime_runc.spawns import Spawner


@dataclass(frozen=True)
class Host:
    """The reaper, the spawner, a private folder with a short path, and whether output is always relayed.

    ``deposits`` is where all descriptors are stated that have to survive us. ``binary`` is the OCI runtime of
    containers whose client names none.
    """

    reaper: Reaper
    spawner: Spawner
    folder: Path
    relay: bool = False
    deposits: Deposits = field(default_factory=Deposits)
    grace_periods: GracePeriods = field(default_factory=GracePeriods)
    binary: str = DEFAULT_BINARY
