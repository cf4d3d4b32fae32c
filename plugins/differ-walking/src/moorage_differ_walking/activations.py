"""A differ for mounts that mount(2) alone cannot do: they are borrowed from the mount manager meanwhile.

containerd's applier does the same (``core/diff/apply/apply.go``), but for comparing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from moorage_differ_walking.differs import WalkingDiffer
from moorage_sdk.activations import MountManager
from moorage_sdk.content import ContentStore
from moorage_sdk.descriptors import OCI_LAYER_GZIP, Descriptor
from moorage_sdk.differs import Application, Differ
from moorage_sdk.mounts import Mount


class ActivatingDiffer(Differ):
    """Raises what the manager raises besides what ``differ`` does."""

    def __init__(self, differ: WalkingDiffer, manager: MountManager) -> None:
        self._differ = differ
        self._manager = manager

    def apply(
        self,
        layer: Descriptor,
        mounts: Sequence[Mount],
        content: ContentStore,
        *,
        sync: bool = False,
        payloads: Mapping[str, bytes] | None = None,
    ) -> Descriptor:
        with self._manager.lent(mounts) as lent:
            return self._differ.apply(layer, lent, content, sync=sync, payloads=payloads)

    def open(self, media_type: str, mounts: Sequence[Mount], *, sync: bool = False) -> Application:
        with ExitStack() as stack:
            lent = stack.enter_context(self._manager.lent(mounts))
            return ActivatedApplication(self._differ.open(media_type, lent, sync=sync), stack.pop_all())

    def compare(
        self,
        lower: Sequence[Mount],
        upper: Sequence[Mount],
        content: ContentStore,
        *,
        media_type: str = OCI_LAYER_GZIP,
        ref: str = "",
        labels: Mapping[str, str] | None = None,
        source_date_epoch: int | None = None,
    ) -> Descriptor:
        with self._manager.lent(lower) as below, self._manager.lent(upper) as above:
            return self._differ.compare(
                below,
                above,
                content,
                media_type=media_type,
                ref=ref,
                labels=labels,
                source_date_epoch=source_date_epoch,
            )


class ActivatedApplication(Application):
    """An application that gives its mounts back when it is closed."""

    def __init__(self, application: Application, mounts: ExitStack) -> None:
        self._application = application
        self._mounts = mounts

    def write(self, data: bytes | memoryview) -> None:
        self._application.write(data)

    def finish(self) -> Descriptor:
        return self._application.finish()

    def close(self) -> None:
        with self._mounts:
            self._application.close()
