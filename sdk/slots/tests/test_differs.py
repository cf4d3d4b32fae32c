from collections.abc import Sequence

import pytest

from moorage_sdk.descriptors import Descriptor
from moorage_sdk.differs import DIFFER, Application, Differ, StreamApplier
from moorage_sdk.mounts import Mount


class Unpacking(Application):
    closed = 0

    def write(self, data: bytes | memoryview) -> None: ...

    def finish(self) -> Descriptor:
        return Descriptor("", "", 0)

    def close(self) -> None:
        self.closed += 1


def test_an_application_left_by_an_error_is_closed() -> None:
    application = Unpacking()
    with pytest.raises(OSError), application:
        raise OSError
    assert application.closed == 1


def test_streaming_is_found_by_asking() -> None:
    class Streaming:
        def open(self, media_type: str, mounts: Sequence[Mount], *, sync: bool = False) -> Application:
            return Unpacking()

    assert isinstance(Streaming(), StreamApplier)
    assert not isinstance(object(), StreamApplier)


def test_the_slot_is_containerds() -> None:
    assert (DIFFER.name, DIFFER.type) == ("differ", "io.containerd.differ.v1")
    assert Differ.__abstractmethods__ == {"apply", "compare"}
