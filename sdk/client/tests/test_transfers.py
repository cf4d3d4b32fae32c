from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from google.protobuf.empty_pb2 import Empty

from moorage_api.convert import typeurls
from moorage_api.messages import introspection, rpc_status, transfer, transfer_types
from moorage_client import plugins, streams, transfers
from moorage_client.clients import Client
from moorage_sdk import errors
from moorage_sdk.platforms import Platform
from moorage_sdk.transfers import Credentials, Export, Progress, Pull, Push, Registry, Store, Unpack

HERE = Platform("linux", "amd64")


async def offered(request: introspection.PluginsRequest, context: Any) -> introspection.PluginsResponse:
    assert list(request.filters) == ["type==io.containerd.grpc.v1,id==transfer"]
    return introspection.PluginsResponse(plugins=[introspection.Plugin(type="io.containerd.grpc.v1", id="transfer")])


async def failed(request: introspection.PluginsRequest, context: Any) -> introspection.PluginsResponse:
    answer = introspection.PluginsResponse()
    answer.plugins.add(type="io.containerd.grpc.v1", id="transfer", init_err=rpc_status.Status(message="broken"))
    return answer


async def absent(request: introspection.PluginsRequest, context: Any) -> introspection.PluginsResponse:
    return introspection.PluginsResponse()


class Daemon:
    """Transfer and Streaming: what ``script`` does with the streams it is given."""

    def __init__(self, script: Callable[[Daemon, transfer.TransferRequest], Any]) -> None:
        self.script = script
        self.sending: dict[str, asyncio.Queue[Any]] = {}
        self.received: dict[str, asyncio.Queue[Any]] = {}

    def handlers(self) -> dict[str, dict[str, Any]]:
        return {
            plugins.SERVICE: {"Plugins": offered},
            streams.SERVICE: {"Stream": self._stream},
            transfers.SERVICE: {"Transfer": self._transfer},
        }

    async def _stream(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        iterator = aiter(requests)
        id = typeurls.unpack(await anext(iterator)).id  # type: ignore[attr-defined]
        self.sending[id], self.received[id] = asyncio.Queue(), asyncio.Queue()
        yield typeurls.pack(Empty())

        async def receive() -> None:
            async for request in iterator:
                await self.received[id].put(typeurls.unpack(request))

        receiving = asyncio.create_task(receive())
        try:
            while (message := await self.sending[id].get()) is not None:
                yield typeurls.pack(message)
        finally:
            receiving.cancel()

    async def _transfer(self, request: transfer.TransferRequest, context: Any) -> Empty:
        await self.script(self, request)
        return Empty()


def pull(talk: Any, daemon: Daemon, wanted: Pull, report: Any = None) -> None:
    async def work(client: Client) -> None:
        await client.transfers.pull(wanted, report)

    talk(daemon.handlers(), work)


def test_what_is_asked_for(talk: Any) -> None:
    seen: list[Any] = []

    async def script(daemon: Daemon, request: transfer.TransferRequest) -> None:
        seen.extend([typeurls.unpack(request.source), typeurls.unpack(request.destination), request.options])

    registry = Registry("/certs.d", "http", {"X-A": "b"})
    pull(talk, Daemon(script), Pull("r/x:1", "n", (HERE,), [Unpack(HERE, "native")], {"l": "1"}, registry))
    source, destination, options = seen
    assert (source.reference, source.resolver.host_dir, source.resolver.default_scheme) == ("r/x:1", "/certs.d", "http")
    assert dict(source.resolver.headers) == {"X-A": "b"}
    assert source.resolver.auth_stream == ""
    assert destination.name == "n"
    assert dict(destination.labels) == {"l": "1"}
    assert destination.platforms[0].architecture == "amd64"
    assert destination.unpacks[0].snapshotter == "native"
    assert options.progress_stream == ""


def test_what_is_pushed(talk: Any) -> None:
    seen: list[Any] = []

    async def script(daemon: Daemon, request: transfer.TransferRequest) -> None:
        seen.extend([typeurls.unpack(request.source), typeurls.unpack(request.destination), request.options])
        queue = daemon.sending[request.options.progress_stream]
        await queue.put(transfer_types.Progress(event="uploading", name="l", progress=1, total=2))
        await queue.put(None)

    reports: list[Progress] = []

    async def work(client: Client) -> None:
        registry = Registry("/certs.d", "http", {"X-A": "b"})
        await client.transfers.push(Push("r/x:1", "n", (HERE,), registry), reports.append)

    talk(Daemon(script).handlers(), work)
    source, destination, _ = seen
    assert (source.name, source.platforms[0].architecture) == ("n", "amd64")
    assert (destination.reference, destination.resolver.host_dir) == ("r/x:1", "/certs.d")
    assert (destination.resolver.default_scheme, destination.resolver.headers["X-A"]) == ("http", "b")
    assert destination.resolver.auth_stream == ""
    assert reports == [Progress("uploading", "l", (), 1, 2)]


def test_an_image_is_pushed_under_its_name_unless_another_is_given(talk: Any) -> None:
    async def script(daemon: Daemon, request: transfer.TransferRequest) -> None:
        assert typeurls.unpack(request.source).name == "r/x:1"  # type: ignore[attr-defined]

    async def work(client: Client) -> None:
        await client.transfers.push(Push("r/x:1"))

    talk(Daemon(script).handlers(), work)


def test_the_reference_is_the_name_unless_there_is_one(talk: Any) -> None:
    async def script(daemon: Daemon, request: transfer.TransferRequest) -> None:
        assert typeurls.unpack(request.destination).name == "r/x:1"  # type: ignore[attr-defined]

    pull(talk, Daemon(script), Pull("r/x:1"))


def test_all_progress_is_reported_though_the_answer_overtakes_it(talk: Any) -> None:
    async def script(daemon: Daemon, request: transfer.TransferRequest) -> None:
        queue = daemon.sending[request.options.progress_stream]
        for number in range(50):
            await queue.put(
                transfer_types.Progress(event="downloading", name="l", parents=["p"], progress=number, total=49)
            )
        await queue.put(None)

    reports: list[Progress] = []
    pull(talk, Daemon(script), Pull("r/x:1"), reports.append)
    assert [report.progress for report in reports] == list(range(50))
    assert reports[0] == Progress("downloading", "l", ("p",), 0, 49)


def test_a_daemon_that_leaves_the_progress_open(talk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfers, "_LAST_LINES", 0.05)

    async def script(daemon: Daemon, request: transfer.TransferRequest) -> None:
        await daemon.sending[request.options.progress_stream].put(transfer_types.Progress(event="saved"))

    reports: list[Progress] = []
    pull(talk, Daemon(script), Pull("r/x:1"), reports.append)
    assert [report.event for report in reports] == ["saved"]


@pytest.mark.parametrize(
    ("credentials", "expected"),
    [
        (Credentials("u", "p"), (transfer_types.CREDENTIALS, "u", "p")),
        (Credentials(header="Bearer x"), (transfer_types.HEADER, "", "Bearer x")),
        (Credentials(secret="t"), (transfer_types.REFRESH, "", "t")),
        (None, (transfer_types.NONE, "", "")),
    ],
)
def test_credentials(talk: Any, credentials: Credentials | None, expected: tuple[int, str, str]) -> None:
    asked: list[tuple[str, str, str]] = []

    def authority(host: str, reference: str, realm: str) -> Credentials | None:
        asked.append((host, reference, realm))
        return credentials

    async def script(daemon: Daemon, request: transfer.TransferRequest) -> None:
        id = typeurls.unpack(request.source).resolver.auth_stream  # type: ignore[attr-defined]
        challenge = ['Bearer realm="https://a/token",service="s"']
        await daemon.sending[id].put(transfer_types.AuthRequest(host="h", reference="r", wwwauthenticate=challenge))
        answer = await daemon.received[id].get()
        assert (answer.authType, answer.username, answer.secret) == expected

    pull(talk, Daemon(script), Pull("r/x:1", registry=Registry(authority=authority)))
    assert asked == [("h", "r", "https://a/token")]


def test_a_failure_is_the_transfers_own(talk: Any) -> None:
    async def script(daemon: Daemon, request: transfer.TransferRequest) -> None:
        raise errors.NotFound('image "r/x:1": not found')

    with pytest.raises(errors.NotFound, match="r/x:1"):
        pull(talk, Daemon(script), Pull("r/x:1"), lambda progress: None)


@pytest.mark.parametrize("answer", [absent, failed])
def test_a_daemon_without_the_service(talk: Any, answer: Any) -> None:
    async def work(client: Client) -> None:
        await client.transfers.pull(Pull("r/x:1"), lambda progress: None)

    with pytest.raises(errors.Unimplemented, match="not offered") as caught:
        talk({plugins.SERVICE: {"Plugins": answer}}, work)
    assert "containerd 1.7" in caught.value.hint


def test_another_unimplemented_is_passed_on(talk: Any) -> None:
    async def script(daemon: Daemon, request: transfer.TransferRequest) -> None:
        raise errors.Unimplemented("pair of source and destination: not implemented")

    with pytest.raises(errors.Unimplemented, match="pair of source"):
        pull(talk, Daemon(script), Pull("r/x:1"))


def imported(talk: Any, daemon: Daemon, source: Any, **more: Any) -> list[str]:
    names: list[str] = []

    async def work(client: Client) -> None:
        names.extend(await asyncio.wait_for(client.transfers.import_archive(source, Store("n"), **more), 20))

    talk(daemon.handlers(), work)
    return names


def exported(talk: Any, daemon: Daemon, sink: Any) -> None:
    async def work(client: Client) -> None:
        await asyncio.wait_for(client.transfers.export_archive(Export(("a",), sink)), 20)

    talk(daemon.handlers(), work)


def test_an_archive_is_sent_and_its_names_come_back(talk: Any) -> None:
    received, lines = bytearray(), []

    async def script(daemon: Daemon, request: transfer.TransferRequest) -> None:
        archive, store = typeurls.unpack(request.source), typeurls.unpack(request.destination)
        assert store.name == "n"  # type: ignore[attr-defined]
        stream = archive.stream  # type: ignore[attr-defined]
        while len(received) < 100_000:
            await daemon.sending[stream].put(transfer_types.WindowUpdate(update=40_000))
            for _ in range(2):
                received.extend((await daemon.received[stream].get()).data)
                if len(received) == 100_000:
                    break
        progress = daemon.sending[request.options.progress_stream]
        for event, name in (("Importing", ""), ("saved", "x"), ("saved", "y")):
            await progress.put(transfer_types.Progress(event=event, name=name))
        await progress.put(None)

    assert imported(talk, Daemon(script), io.BytesIO(b"x" * 100_000), report=lines.append) == ["x", "y"]
    assert bytes(received) == b"x" * 100_000
    assert [line.event for line in lines] == ["Importing", "saved", "saved"]


def test_an_archive_that_the_daemon_refuses_is_not_sent_to_the_end(talk: Any) -> None:
    async def script(daemon: Daemon, request: transfer.TransferRequest) -> None:
        raise errors.InvalidArgument("archive: no: invalid argument")

    with pytest.raises(errors.Error, match="archive: no"):
        imported(talk, Daemon(script), io.BytesIO(b"x" * 100_000))


def test_a_file_that_cannot_be_read_ends_the_import(talk: Any) -> None:
    class Broken:
        def read(self, size: int, /) -> bytes:
            raise OSError("broken disk")

    async def script(daemon: Daemon, request: transfer.TransferRequest) -> None:
        await asyncio.Event().wait()

    with pytest.raises(OSError, match="broken disk"):
        imported(talk, Daemon(script), Broken())


@pytest.mark.parametrize("ends", [True, False])
def test_an_archive_is_received_to_its_end(talk: Any, ends: bool) -> None:
    """mooraged ends the stream; containerd leaves it open."""

    async def script(daemon: Daemon, request: transfer.TransferRequest) -> None:
        stream = typeurls.unpack(request.destination).stream  # type: ignore[attr-defined]
        for _ in range(5):
            await daemon.sending[stream].put(transfer_types.Data(data=b"y" * 1000))
        if ends:
            await daemon.sending[stream].put(None)

    sink = io.BytesIO()
    exported(talk, Daemon(script), sink)
    assert sink.getvalue() == b"y" * 5000


def test_a_disk_that_is_full_ends_the_export(talk: Any) -> None:
    class Full:
        def write(self, data: bytes, /) -> int:
            raise OSError("no space left")

    async def script(daemon: Daemon, request: transfer.TransferRequest) -> None:
        stream = typeurls.unpack(request.destination).stream  # type: ignore[attr-defined]
        for _ in range(40):
            await daemon.sending[stream].put(transfer_types.Data(data=b"y" * 32_000))
        await asyncio.Event().wait()

    with pytest.raises(OSError, match="no space left"):
        exported(talk, Daemon(script), Full())


def test_a_failed_export_says_why(talk: Any) -> None:
    async def script(daemon: Daemon, request: transfer.TransferRequest) -> None:
        raise errors.NotFound('image "a": not found')

    with pytest.raises(errors.Error, match='image "a": not found'):
        exported(talk, Daemon(script), io.BytesIO())


def test_names_are_given_by_the_daemon(talk: Any) -> None:
    asked: list[Any] = []

    async def script(daemon: Daemon, request: transfer.TransferRequest) -> None:
        asked.append((typeurls.unpack(request.source), typeurls.unpack(request.destination)))

    async def work(client: Client) -> None:
        await client.transfers.tag("a", ["b", "c"])

    talk(Daemon(script).handlers(), work)
    [(source, destination)] = asked
    assert (source.name, [each.name for each in destination.extra_references]) == ("a", ["b", "c"])
