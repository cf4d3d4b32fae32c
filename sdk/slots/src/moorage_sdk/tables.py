"""Top-level tables that plugins read beside their own, such as ``[timeouts]`` and ``[stream_processors]``.

::

    TIMEOUTS = Table("timeouts", Duration, {"io.containerd.timeout.task.state": Duration(2)}, closed=True)
    plugin = Plugin(TASKS, "shim", make, Config, tables=(TIMEOUTS,))

and in ``make``: ``TIMEOUTS.read(ctx.table("timeouts"))``. Several plugins may declare one table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from moorage_sdk import config, errors

E = TypeVar("E")


@dataclass(frozen=True)
class Table(Generic[E]):
    """Entries of one type by name. What a file says of an entry replaces the default in ``entries`` whole.

    ``closed``: other names than those in ``entries`` mean nothing, and are reported.
    """

    name: str
    kind: type[E]
    entries: Mapping[str, E] = field(default_factory=dict)
    closed: bool = False

    def decode(self, found: object) -> config.Decoded[Mapping[str, E]]:
        """The entries of a table as tomllib returns it, without the defaults, and all that is wrong with them."""
        return config.decode_entries(self.kind, found, (self.name,))

    def read(self, found: Mapping[str, object]) -> Mapping[str, E]:
        """All entries, defaults included. Raises errors.InvalidArgument; the kernel has refused such a file before."""
        decoded = self.decode(dict(found))
        if decoded.value is None:
            raise errors.InvalidArgument("; ".join(map(str, decoded.faults)))
        return {**self.entries, **decoded.value}
