from concurrent.futures import Future

import pytest

from moorage_sdk.collectors import COLLECTOR, Collector
from moorage_sdk.garbage import Object
from moorage_sdk.metadata import Collection

OBJECT = Object("content", "default", "sha256:abc")


def test_a_collector_promises_a_future() -> None:
    class Now(Collector):
        def collect(self) -> Future[Collection]:
            done: Future[Collection] = Future()
            done.set_result(Collection((OBJECT,)))
            return done

    assert Now().collect().result(0).removed == (OBJECT,)
    with pytest.raises(TypeError, match="collect"):
        Collector()  # type: ignore[abstract]


def test_the_slot_is_containerds() -> None:
    assert (COLLECTOR.name, COLLECTOR.type) == ("gc", "io.containerd.gc.v1")
