"""Options: what the operator and the other plugins decide for all transfers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

from moorage_sdk import errors
from moorage_sdk.differs import Differ
from moorage_sdk.metadata import View
from moorage_sdk.namespaces import within
from moorage_sdk.transfers import Unpack
from moorage_transfer_local import picks
from moorage_transfer_local.flights import Places
from moorage_transfer_local.picks import Found
from moorage_transfer_local.servers import Settings
from moorage_transfer_local.stacks import Stack
from moorage_transfer_local.unpacks import Blobs, Unpacker


@dataclass(frozen=True)
class Options:
    """How the daemon pulls and pushes, whatever it is.

    ``unpacks`` is how many layers of an image are unpacked at once (1: one after the other), ``differs`` the differs
    for a snapshotter in the order to try them, ``rebases`` whether it can take a parent at commit.
    """

    downloads: int = 3
    uploads: int = 3
    unpacks: int = 1
    strict_platform: bool = False
    config_path: str = ""
    snapshotter: Callable[[], str] = lambda: "overlayfs"
    differs: Callable[[str], Sequence[Differ]] = lambda snapshotter: ()
    rebases: Callable[[str], bool] = lambda snapshotter: False
    token_realms: Callable[[str], Sequence[str]] = lambda host: ()
    settings: Settings = field(default_factory=Settings)

    def choose(self, found: Sequence[Found], unpacks: Sequence[Unpack]) -> list[tuple[Found, str]]:
        """Which of an image's manifests goes into which snapshotter."""
        return picks.choose(found, unpacks, self.snapshotter, strict=self.strict_platform)

    def unpacker(
        self, view: View, stack: Stack, blobs: Blobs, downloads: Executor, unpacking: Places | None
    ) -> Unpacker:
        """What unpacks ``stack``. Raises errors.FailedPrecondition when there is no differ for its snapshotter."""
        differs = [within(differ, view.namespace) for differ in self.differs(stack.snapshotter)]
        if not differs:
            raise errors.FailedPrecondition(f'snapshotter "{stack.snapshotter}": no differ works: failed precondition')
        return Unpacker(
            view.snapshotter(stack.snapshotter),
            differs,
            view.content,
            blobs,
            downloads,
            unpacking if self.rebases(stack.snapshotter) else None,
        )
