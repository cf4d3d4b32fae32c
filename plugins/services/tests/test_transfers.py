"""The transfer service over a scripted transfer: what becomes of requests, questions and progress."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from moorage_api.convert import typeurls
from moorage_api.messages import transfer, transfer_types, types
from moorage_sdk import errors, platforms
from moorage_sdk.descriptors import OCI_MANIFEST, Descriptor
from moorage_sdk.images import Image
from moorage_sdk.metadata import View
from moorage_sdk.platforms import Platform
from moorage_sdk.transfers import Credentials, Progress, Pull, Push, Report, Transfer, Unpack
from moorage_services.authorities import Asking
from moorage_services.errands import Kind
from moorage_services.pools import Pool
from moorage_services.registers import Streams
from moorage_services.streams import Stream
from moorage_services.transfers import TransferService
from moorage_testkit.fakes.metadata import MemoryMetadata

TARGET = Descriptor(OCI_MANIFEST, "sha256:" + "a" * 64, 7)
REFERENCE = "a.io/b:c"


class Scripted(Transfer):
    """Names the image at once; ``during`` is called meanwhile."""

    def __init__(self) -> None:
        self.pulls: list[tuple[View, Pull]] = []
        self.pushes: list[tuple[View, Push]] = []
        self.during: Callable[[Pull, Report], None] = lambda pull, report: None

    def pull(self, view: View, pull: Pull, report: Report) -> Image:
        self.pulls.append((view, pull))
        self.during(pull, report)
        return view.images.create(Image(pull.name or pull.reference, TARGET))

    def push(self, view: View, push: Push, report: Report) -> Image:
        self.pushes.append((view, push))
        return view.images.get(push.name)


@pytest.fixture
def metadata() -> MemoryMetadata:
    return MemoryMetadata()


@pytest.fixture
def scripted() -> Scripted:
    return Scripted()


@pytest.fixture
def streams() -> Streams:
    return Streams()


@pytest.fixture
def service(metadata: MemoryMetadata, scripted: Scripted, streams: Streams, pool: Pool) -> TransferService:
    return TransferService(metadata, scripted, streams, dict.fromkeys(Kind, pool))


def request(progress: str = "", auth: str = "", **store: Any) -> transfer.TransferRequest:
    resolver = transfer_types.RegistryResolver(
        auth_stream=auth, headers={"X": "y"}, host_dir="/certs", default_scheme="http"
    )
    return transfer.TransferRequest(
        source=typeurls.pack(transfer_types.OCIRegistry(reference=REFERENCE, resolver=resolver)),
        destination=typeurls.pack(transfer_types.ImageStore(**{"name": "named", **store})),
        options=transfer.TransferOptions(progress_stream=progress),
    )


def test_a_pull_is_what_the_client_asked_for(
    service: TransferService, scripted: Scripted, metadata: MemoryMetadata, call: Callable[..., Any]
) -> None:
    arm = types.Platform(os="linux", architecture="arm64")
    wanted = request(
        platforms=[arm],
        labels={"l": "m"},
        all_metadata=True,
        unpacks=[
            transfer_types.UnpackConfiguration(platform=arm, snapshotter="native"),
            transfer_types.UnpackConfiguration(),
        ],
    )
    asyncio.run(service.transfer(wanted, call()))
    [(view, pull)] = scripted.pulls
    assert view is metadata.view("ns")
    assert (pull.reference, pull.name, dict(pull.labels)) == (REFERENCE, "named", {"l": "m"})
    assert (pull.platforms, pull.all_metadata) == ((Platform("linux", "arm64"),), True)
    assert pull.unpacks == (Unpack(Platform("linux", "arm64"), "native"), Unpack(platforms.host(), ""))
    reach = pull.registry
    assert (reach.config_path, reach.default_scheme, dict(reach.headers)) == ("/certs", "http", {"X": "y"})
    assert reach.authority is None


@pytest.mark.parametrize(
    ("source", "destination"),
    [
        (transfer_types.OCIRegistry(reference="a"), transfer_types.OCIRegistry(reference="b")),
        (transfer_types.OCIRegistry(reference="a"), transfer_types.ImageExportStream(stream="s")),
        (transfer_types.ImageImportStream(stream="s"), transfer_types.OCIRegistry(reference="b")),
        (transfer_types.ImageExportStream(stream="s"), transfer_types.ImageStore()),
        (transfer_types.Progress(), transfer_types.ImageStore()),
    ],
)
def test_other_pairs_are_unimplemented(
    service: TransferService, streams: Streams, call: Callable[..., Any], source: Any, destination: Any
) -> None:
    wanted = transfer.TransferRequest(source=typeurls.pack(source), destination=typeurls.pack(destination))

    async def main() -> None:
        streams.register("ns", "s", Stream(asyncio.get_running_loop()))
        await service.transfer(wanted, call())

    with pytest.raises(errors.Unimplemented, match="method Transfer not implemented for containerd"):
        asyncio.run(main())


def test_a_push_is_what_the_client_asked_for(
    service: TransferService,
    scripted: Scripted,
    metadata: MemoryMetadata,
    streams: Streams,
    call: Callable[..., Any],
) -> None:
    metadata.view("ns").images.create(Image("named", TARGET))
    wanted = request()
    wanted.source.CopyFrom(
        typeurls.pack(
            transfer_types.ImageStore(name="named", platforms=[types.Platform(os="linux", architecture="arm64")])
        )
    )
    wanted.destination.CopyFrom(request(auth="creds").source)

    async def main() -> None:
        streams.register("ns", "creds", Stream(asyncio.get_running_loop()))
        await service.transfer(wanted, call())

    asyncio.run(main())
    [(view, push)] = scripted.pushes
    assert view is metadata.view("ns")
    assert (push.reference, push.name, push.platforms) == (REFERENCE, "named", (Platform("linux", "arm64"),))
    reach = push.registry
    assert (reach.config_path, reach.default_scheme, dict(reach.headers)) == ("/certs", "http", {"X": "y"})
    assert isinstance(reach.authority, Asking)
    assert not push.cancelled()
    assert scripted.pulls == []


def test_a_push_ends_with_its_client(
    service: TransferService, scripted: Scripted, metadata: MemoryMetadata, call: Callable[..., Any]
) -> None:
    metadata.view("ns").images.create(Image("named", TARGET))
    began, ended = threading.Event(), threading.Event()

    def push(view: View, push: Push, report: Report) -> Image:
        began.set()
        deadline = time.monotonic() + 20
        while not push.cancelled() and time.monotonic() < deadline:
            time.sleep(0.01)
        if push.cancelled():
            ended.set()
        raise errors.Cancelled("push")

    scripted.push = push  # type: ignore[method-assign]
    wanted = transfer.TransferRequest(
        source=typeurls.pack(transfer_types.ImageStore(name="named")),
        destination=typeurls.pack(transfer_types.OCIRegistry(reference=REFERENCE)),
    )

    async def main() -> None:
        task = asyncio.create_task(service.transfer(wanted, call()))
        await asyncio.to_thread(began.wait, 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert ended.wait(20)


def test_a_limit_without_platforms_is_unimplemented(service: TransferService, call: Callable[..., Any]) -> None:
    with pytest.raises(errors.Unimplemented, match="manifest limit"):
        asyncio.run(service.transfer(request(manifest_limit=1), call()))


@pytest.mark.parametrize("which", ["progress", "auth"])
def test_streams_must_be_known(service: TransferService, call: Callable[..., Any], which: str) -> None:
    with pytest.raises(errors.NotFound, match='stream "none"'):
        asyncio.run(service.transfer(request(**{which: "none"}), call()))


def test_nonsense_in_an_any_is_an_invalid_argument(service: TransferService, call: Callable[..., Any]) -> None:
    wanted = request()
    wanted.source.value = b"\xff"
    with pytest.raises(errors.InvalidArgument):
        asyncio.run(service.transfer(wanted, call()))


def test_progress_is_streamed_and_its_stream_closed(
    service: TransferService, scripted: Scripted, streams: Streams, call: Callable[..., Any]
) -> None:
    scripted.during = lambda pull, report: report(Progress("saved", "x", ("p",), 1, 2, TARGET))

    async def main() -> list[Any]:
        stream = Stream(asyncio.get_running_loop())
        streams.register("ns", "p", stream)
        await service.transfer(request(progress="p"), call())
        return [typeurls.unpack(message) async for message in stream.outgoing()]

    [line] = asyncio.run(main())
    assert (line.event, line.name, list(line.parents), line.progress, line.total) == ("saved", "x", ["p"], 1, 2)
    assert line.desc.digest == TARGET.digest


def test_progress_to_a_client_that_left_does_no_harm(
    service: TransferService, scripted: Scripted, streams: Streams, call: Callable[..., Any]
) -> None:
    async def main() -> None:
        stream = Stream(asyncio.get_running_loop())
        streams.register("ns", "p", stream)
        scripted.during = lambda pull, report: (stream.close(), report(Progress("late")))  # type: ignore[func-returns-value]
        await service.transfer(request(progress="p"), call())

    asyncio.run(main())
    assert len(scripted.pulls) == 1


def test_credentials_are_asked_for_on_the_stream(
    service: TransferService, scripted: Scripted, streams: Streams, call: Callable[..., Any]
) -> None:
    got: list[Credentials | None] = []

    def during(pull: Pull, report: Report) -> None:
        assert pull.registry.authority is not None
        got.append(pull.registry.authority("a.io", REFERENCE, "realm"))

    async def main() -> None:
        scripted.during = during
        stream = Stream(asyncio.get_running_loop())
        streams.register("ns", "a", stream)
        running = asyncio.create_task(service.transfer(request(auth="a"), call()))
        question: Any = typeurls.unpack(await anext(stream.outgoing()))
        assert (question.host, question.reference) == ("a.io", REFERENCE)
        assert list(question.wwwauthenticate) == ['Bearer realm="realm"']
        answer = transfer_types.AuthResponse(authType=transfer_types.CREDENTIALS, username="u", secret="s")
        stream.received(typeurls.pack(answer))
        await running

    asyncio.run(main())
    assert got == [Credentials("u", "s")]


def test_a_client_that_goes_ends_its_pull(
    service: TransferService, scripted: Scripted, call: Callable[..., Any]
) -> None:
    began, ended = threading.Event(), threading.Event()

    def during(pull: Pull, report: Report) -> None:
        began.set()
        deadline = time.monotonic() + 20
        while not pull.cancelled() and time.monotonic() < deadline:
            time.sleep(0.005)
        if pull.cancelled():
            ended.set()

    async def main() -> None:
        scripted.during = during
        running = asyncio.create_task(service.transfer(request(), call()))
        await asyncio.to_thread(began.wait)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert await asyncio.to_thread(ended.wait, 20)

    asyncio.run(main())
