"""What lies outside of the store and is collected with what lies in it (``moorage_sdk.resources``).

containerd's door for that is ``RegisterCollectibleResource``; they are mounts there, and streams.
"""

from __future__ import annotations

import builtins
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from moorage_metadata_lmdb import nodes, references
from moorage_metadata_lmdb.marks import Mark
from moorage_metadata_lmdb.nodes import Kind, Node
from moorage_metadata_lmdb.removals import Report
from moorage_sdk.resources import Item, Resources

_log = logging.getLogger(__name__)


@dataclass
class Collectibles:
    """What the owners had when it was listed, and what of it is ``condemned``.

    ``failures`` are owners that could not be asked, each in one line.
    """

    owners: Mapping[str, Resources] = field(default_factory=dict)
    items: dict[Node, Item] = field(default_factory=dict)
    condemned: builtins.list[Node] = field(default_factory=list)
    failures: builtins.list[str] = field(default_factory=list)

    def mark(self, mark: Mark) -> None:
        """Note them in a mark: kept by their leases and by what they refer back to, and by nothing else."""
        for node, item in self.items.items():
            mark.note(node, ())
            if item.lease:
                mark.keep_if_kept(Node(Kind.LEASE, item.namespace, item.lease), node)
            for parent in references.backward(item.namespace, item.labels):
                mark.keep_if_kept(parent, node)

    def list(self) -> None:
        """Ask every owner. For a collection only after changes are being noted: what comes later is not in it."""
        for kind, owner in self.owners.items():
            try:
                self.items.update((nodes.collectible(item.namespace, kind, item.name), item) for item in owner.all())
            except Exception as error:  # noqa: BLE001 - an owner is foreign code, and what the others have is collected
                self._fail(f"listing {kind}", error)

    def condemn(self, garbage: Iterable[Node]) -> None:
        """Tell the owners what is about to go."""
        for kind, found in self._by_kind(garbage).items():
            try:
                self.owners[kind].condemn([self.items[node] for node in found])
            except Exception as error:  # noqa: BLE001 - an owner is foreign code, and the sweep must go on
                self._fail(f"condemning {kind}", error)
            else:
                self.condemned += found

    def remove(self, report: Report) -> None:
        """Have the owners remove what they were told of, and try again what they could not remove earlier."""
        for kind, found in self._by_kind(self.condemned).items():
            for node in found:
                report.add(nodes.object(node), partial(self.owners[kind].remove, self.items[node]))
        for kind, owner in self.owners.items():
            try:
                owner.cleanup()
            except Exception as error:  # noqa: BLE001 - an owner is foreign code
                self._fail(f"cleanup {kind}", error)
        report.failures.extend(self.failures)

    def _by_kind(self, chosen: Iterable[Node]) -> dict[str, builtins.list[Node]]:
        found: dict[str, builtins.list[Node]] = {}
        for node in chosen:
            if node in self.items:
                found.setdefault(nodes.object(node).kind, []).append(node)
        return found

    def _fail(self, what: str, error: Exception) -> None:
        _log.warning("%s: %s", what, error)
        self.failures.append(f"{what}: {error}")
