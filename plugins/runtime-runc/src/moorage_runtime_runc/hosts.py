"""What every container of a monitor shares."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from moorage_runtime_runc.reapers import Reaper
from moorage_runtime_runc.spawns import Spawner


@dataclass(frozen=True)
class Host:
    """The reaper, the spawner, a private folder with a short path, and whether output is always relayed."""

    reaper: Reaper
    spawner: Spawner
    folder: Path
    relay: bool = False
