"""A call without a wire, for tests of what handlers do with it."""

from collections.abc import Callable
from typing import Any

import pytest

from moorage_services.calls import Call
from moorage_services.pools import Pool


class Wire:
    """Stands for grpc's context: ``sent`` are the messages of a stream."""

    def __init__(self, *headers: tuple[str, str | bytes]) -> None:
        self.headers = headers
        self.sent: list[Any] = []
        self.accepted = False
        self.gone = False

    def invocation_metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        return self.headers

    def cancelled(self) -> bool:
        return self.gone

    def time_remaining(self) -> float | None:
        return None

    async def send_initial_metadata(self, headers: Any) -> None:
        self.accepted = True

    async def write(self, message: Any) -> None:
        self.sent.append(message)


@pytest.fixture
def wire() -> Callable[..., Wire]:
    return Wire


@pytest.fixture
def call() -> Callable[..., Call]:
    """Makes a call in a namespace; what it sends is in ``call.wire.sent``."""

    def make(namespace: str = "ns", lease: str = "") -> Call:
        headers = {"containerd-namespace": namespace, "containerd-lease": lease}
        wire = Wire(*((key, value) for key, value in headers.items() if value))
        made = Call(wire)
        made.wire = wire  # type: ignore[attr-defined]  # for the test's own eyes
        return made

    return make


@pytest.fixture
def pool() -> Any:
    made = Pool("test", 4)
    yield made
    made.close()
