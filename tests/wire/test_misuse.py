"""Clients that are many, hostile, broken or gone: the daemon stays, answers meanwhile, and keeps nothing of them."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.any_pb2 import Any as Packed

from moorage_api import methods
from moorage_api.calling import Stub
from moorage_api.messages import content, events_service, images, types
from moorage_sdk import digests, errors
from moorage_testkit import daemons
from moorage_testkit.daemons import Daemon

PATIENCE = 2.0
"""Seconds within which 99 of 100 calls of Version are answered, whatever others do."""

MANY = 1000
MEBIBYTE = 1 << 20
HEADERS = [("containerd-namespace", "misuse")]
CONTENT = "containerd.services.content.v1.Content"
EVENTS = "containerd.services.events.v1.Events"
IMAGES = "containerd.services.images.v1.Images"

PROBE = """
import json, sys, time, grpc
times, ask = [], None
channel = grpc.insecure_channel("unix:" + sys.argv[1])
ask = channel.unary_unary("/containerd.services.version.v1.Version/Version")
ask(b"", timeout=60)
print("ready", flush=True)
import select
while not select.select([sys.stdin], [], [], 0.02)[0]:
    began = time.monotonic()
    ask(b"", timeout=60)
    times.append(time.monotonic() - began)
print(json.dumps(times), flush=True)
"""


@dataclass(frozen=True)
class Footprint:
    """What the daemon holds. ``memory`` is in bytes, its own and not shared."""

    memory: int
    descriptors: int
    threads: int
    tasks: int

    def back_to(self, before: Footprint) -> bool:
        """Some threads of pools, and some memory that the allocator keeps, come with the first use."""
        return (
            self.memory <= before.memory * 1.5 + 128 * MEBIBYTE
            and self.descriptors <= before.descriptors + 8
            and self.threads <= before.threads + 24
            and self.tasks <= before.tasks + 4
        )


@dataclass(frozen=True)
class Victim:
    daemon: Daemon
    before: Footprint
    stacks: Path

    def footprint(self) -> Footprint:
        return Footprint(self.memory(), entries(self._proc / "fd"), entries(self._proc / "task"), self._tasks())

    def memory(self) -> int:
        found = re.search(r"RssAnon:\s+(\d+)", (self._proc / "status").read_text())
        assert found
        return int(found[1]) << 10

    @property
    def _proc(self) -> Path:
        return Path("/proc") / str(self.daemon.pid)

    def _tasks(self) -> int:
        """The stacks that it writes on SIGUSR1 have an entry for each task of asyncio."""
        for old in self.stacks.glob("*.stacks.log"):
            old.unlink()
        os.kill(self.daemon.pid, signal.SIGUSR1)
        end = f"{self.daemon.pid}.stacks.log"
        daemons.wait_until(
            lambda: any(each.name.endswith(end) and each.stat().st_size for each in self.stacks.iterdir())
        )
        time.sleep(0.2)  # for the rest of the file; too few tasks in it only make the test milder
        return sum(each.read_text().count("<Task ") for each in self.stacks.glob("*.stacks.log"))

    def run(self, misuse: Callable[[Victim], Awaitable[None]]) -> None:
        """Misuse it, with somebody else asking for its version all the while, and see that nothing stays."""
        with self._probed():
            asyncio.run(asyncio.wait_for(misuse(self), 120))
        deadline = time.monotonic() + 20
        while not (now := self.footprint()).back_to(self.before):
            assert time.monotonic() < deadline, f"before: {self.before}\nnow: {now}"

    def _probed(self) -> Any:
        return probed(self.daemon)

    def channel(self) -> Any:
        """A connection of its own; grpc would share one among channels to the same address."""
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1)]
        return grpc.aio.insecure_channel(f"unix:{self.daemon.address}", options=options)

    def connection(self) -> socket.socket:
        made = socket.socket(socket.AF_UNIX)
        made.connect(self.daemon.address)
        return made


class probed:
    """Ask for the version over and over, from another process, and fail when the answers are late."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    def __enter__(self) -> None:
        command = [sys.executable, "-c", PROBE, self._daemon.address]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        assert self._process.stdout.readline() == "ready\n"

    def __exit__(self, kind: object, *rest: object) -> None:
        said, _ = self._process.communicate("end\n", timeout=120)
        if kind is not None:
            return
        assert self._daemon.process is not None
        assert self._daemon.process.poll() is None, self._daemon.tail()
        times = sorted(json.loads(said))
        assert times, "nothing was asked meanwhile"
        late = times[int(len(times) * 0.99)]
        assert late < PATIENCE, f"of {len(times)} answers, the last hundredth took {late:.2f} s and more"


def entries(folder: Path) -> int:
    return sum(1 for _ in folder.iterdir())


@pytest.fixture(scope="module")
def victim() -> Iterator[Victim]:
    with daemons.directory() as base:
        stacks = base / "stacks"
        stacks.mkdir()
        program = daemons.moorage().with_env(TMPDIR=str(stacks))
        with Daemon(program, base, namespaces=("misuse",)) as daemon:
            fresh = Victim(daemon, Footprint(0, 0, 0, 0), stacks)
            asyncio.run(warm(fresh))
            yield Victim(daemon, fresh.footprint(), stacks)


async def warm(victim: Victim) -> None:
    """Use what makes threads and caches at its first use."""
    async with victim.channel() as channel:
        await asyncio.gather(*(life_of_an_image(Stub(channel, IMAGES), f"warm-{number}") for number in range(32)))
        await store(channel, b"warm")


async def life_of_an_image(stub: Stub, name: str) -> None:
    target = types.Descriptor(media_type="m", digest=digests.of(b"x"), size=1)
    await stub.call("Create", images.CreateImageRequest(image=images.Image(name=name, target=target)), metadata=HEADERS)
    got = await stub.call("Get", images.GetImageRequest(name=name), metadata=HEADERS)
    assert got.image.name == name
    await stub.call("Delete", images.DeleteImageRequest(name=name), metadata=HEADERS)


async def store(channel: Any, data: bytes) -> str:
    digest = digests.of(data)
    async with Stub(channel, CONTENT).open("Write", metadata=HEADERS) as stream:
        for offset in range(0, len(data), MEBIBYTE):
            part = data[offset : offset + MEBIBYTE]
            await stream.send(content.WriteContentRequest(action=content.WRITE, ref=digest, data=part, offset=offset))
            await stream.receive()
        labels = {"containerd.io/gc.root": "test"}
        commit = content.WriteContentRequest(action=content.COMMIT, offset=len(data), expected=digest, labels=labels)
        with suppress(errors.AlreadyExists):
            await stream.send(commit)
            await stream.receive()
    return digest


def test_a_thousand_clients_at_once(victim: Victim) -> None:
    async def misuse(victim: Victim) -> None:
        async def client(number: int) -> None:
            async with victim.channel() as channel:
                await life_of_an_image(Stub(channel, IMAGES), f"client-{number}")
                everybody_is_there.append(number)
                while len(everybody_is_there) < MANY:
                    await asyncio.sleep(0.1)
                await Stub(channel, IMAGES).call("List", images.ListImagesRequest(), metadata=HEADERS)

        everybody_is_there: list[int] = []
        await asyncio.gather(*map(client, range(MANY)))

    victim.run(misuse)


def test_a_thousand_subscribers_of_whom_half_never_read(victim: Victim) -> None:
    told, size = 100, 4096

    async def misuse(victim: Victim) -> None:
        async with connections(victim, 20) as channels:
            subscribe = [channel.unary_stream(f"/{EVENTS}/Subscribe") for channel in channels]
            request = events_service.SubscribeRequest(filters=['namespace=="misuse"']).SerializeToString()
            calls = [subscribe[number % len(subscribe)](request) for number in range(MANY)]
            readers = calls[: MANY // 2]
            await asyncio.gather(*(call.initial_metadata() for call in calls))  # by which they stand
            heard = asyncio.gather(*(read(call, told) for call in readers))
            event = Packed(type_url="t", value=bytes(size))
            publish = Stub(channels[0], EVENTS)
            for number in range(told):
                request_ = events_service.PublishRequest(topic=f"/misuse/{number}", event=event)
                await publish.call("Publish", request_, metadata=HEADERS, timeout=60)
            async with asyncio.timeout(120):
                assert await heard == [[f"/misuse/{number}" for number in range(told)]] * len(readers)
            for call in calls:
                call.cancel()

    victim.run(misuse)


async def read(call: Any, wanted: int) -> list[str]:
    topics: list[str] = []
    while len(topics) < wanted:
        topics.append(types.Envelope.FromString(await call.read()).topic)
    return topics


def test_what_a_subscriber_does_not_read_is_not_kept_without_end(victim: Victim) -> None:
    async def misuse(victim: Victim) -> None:
        async with connections(victim, 2) as (deaf, loud):
            call = deaf.unary_stream(f"/{EVENTS}/Subscribe")(b"")
            await call.initial_metadata()
            event = Packed(type_url="t", value=bytes(4 * MEBIBYTE))
            publish = Stub(loud, EVENTS)
            peak = 0
            for _ in range(100):
                request = events_service.PublishRequest(topic="/misuse/large", event=event)
                await publish.call("Publish", request, metadata=HEADERS, timeout=60)
                peak = max(peak, victim.memory())
            assert peak < victim.before.memory + 256 * MEBIBYTE  # of the 400 that were published
            call.cancel()

    victim.run(misuse)


@pytest.mark.parametrize("leave", ["cancelled", "disconnected"])
def test_half_written_blobs(victim: Victim, leave: str) -> None:
    async def misuse(victim: Victim) -> None:
        async def half(number: int) -> None:
            async with victim.channel() as channel:
                call = channel.stream_stream(f"/{CONTENT}/Write")(metadata=HEADERS)
                first = content.WriteContentRequest(action=content.WRITE, ref=f"half-{number}", data=bytes(MEBIBYTE))
                await call.write(first.SerializeToString())
                if number % 2:
                    await call.read()
                if leave == "cancelled":
                    call.cancel()

        await asyncio.gather(*map(half, range(100)))
        async with victim.channel() as channel:
            stub = Stub(channel, CONTENT)
            async with asyncio.timeout(30):
                for number in range(100):
                    await gone(stub, f"half-{number}")

    victim.run(misuse)


async def gone(stub: Stub, ref: str) -> None:
    """Abort it as soon as its reference is free; it may not have begun."""
    while True:
        try:
            await stub.call("Abort", content.AbortRequest(ref=ref), metadata=HEADERS)
        except errors.Unavailable:
            await asyncio.sleep(0.02)
        except errors.NotFound:
            return
        else:
            return


def test_streams_that_are_cancelled_at_any_message(victim: Victim) -> None:
    async def misuse(victim: Victim) -> None:
        async with victim.channel() as channel:
            request = content.ReadContentRequest(digest=await store(channel, bytes(8 * MEBIBYTE))).SerializeToString()
            for number in range(300):
                call = channel.unary_stream(f"/{CONTENT}/Read")(request, metadata=HEADERS)
                for _ in range(number % 4):
                    await call.read()
                call.cancel()
                call = channel.unary_stream(f"/{EVENTS}/Subscribe")(b"")
                if number % 2:
                    await call.initial_metadata()
                call.cancel()
                call = channel.unary_unary(f"/{IMAGES}/List")(b"", metadata=HEADERS)
                await asyncio.sleep(0)
                call.cancel()

    victim.run(misuse)


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\0\0\0\x04\0\0\0\0\0"


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """Of HTTP/2 (RFC 9113, section 4.1)."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def headers(path: str) -> bytes:
    """Of a request by gRPC, each a literal that no table remembers (RFC 7541, section 6.2.2)."""
    said = {":method": "POST", ":scheme": "http", ":path": path, ":authority": "x", "content-type": "application/grpc",
            "te": "trailers", "containerd-namespace": "misuse"}  # fmt: skip
    parts = [bytes([len(text)]) + text.encode() for pair in said.items() for text in pair]
    return b"".join(b"\0" + key + value for key, value in zip(parts[::2], parts[1::2], strict=True))


HALVES = {
    "nothing": b"",
    "a part of the preface": PREFACE[:7],
    "a part of a frame": PREFACE + SETTINGS + b"\0\0\x20\x01",
    "headers without an end": PREFACE + SETTINGS + frame(1, 0, 1, headers("/x")[:20]),
    "a request without a message": PREFACE + SETTINGS + frame(1, 4, 1, headers(f"/{IMAGES}/Get")),
    "a part of a message": PREFACE + SETTINGS + frame(1, 4, 1, headers(f"/{IMAGES}/Get")) + frame(0, 0, 1, b"\0\0\0"),
    "a message that says 4 GiB": PREFACE + SETTINGS + frame(1, 4, 1, headers(f"/{IMAGES}/Get"))
    + frame(0, 0, 1, b"\0\xff\xff\xff\xff" + bytes(100)),
    "a frame that says 16 MiB": PREFACE + SETTINGS + frame(1, 4, 1,
    headers(f"/{IMAGES}/Get")) + b"\xff\xff\xff\0\0\0\0\0\1",
    "another protocol": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "noise": bytes(range(256)) * 64,
}  # fmt: skip


@pytest.mark.parametrize("half", HALVES)
def test_connections_that_never_come_to_the_point(victim: Victim, half: str) -> None:
    async def misuse(victim: Victim) -> None:
        made = [victim.connection() for _ in range(200)]
        for each in made:
            with suppress(OSError):  # noise may have been answered with the end of the connection
                each.sendall(HALVES[half])
        for byte in b"slowly":
            await asyncio.sleep(0.1)
            for each in made:
                with suppress(OSError):
                    each.send(bytes([byte]))
        async with victim.channel() as channel:
            await life_of_an_image(Stub(channel, IMAGES), "meanwhile")
        for each in made:
            each.close()

    victim.run(misuse)


def test_connections_come_and_go(victim: Victim) -> None:
    async def misuse(victim: Victim) -> None:
        for number in range(3000):
            with victim.connection() as made:
                made.sendall(PREFACE[: number % 25])
            if not number % 100:
                await asyncio.sleep(0)

    victim.run(misuse)


ODD = (
    "../escaped",
    "a/../../escaped",
    "/etc/escaped",
    "a\0b",
    "-x",
    "é☃",
    "x" * 5000,
    "\n",
    " ",
    "%s%n",
    "$(touch escaped)",
)


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_odd_ids_end_up_nowhere(victim: Victim, odd: str) -> None:
    """Every field of text that a request has is such an id, of every method."""

    async def misuse(victim: Victim) -> None:
        async with victim.channel() as channel:
            for method in served():
                call = channel.stream_stream(method.path)(metadata=HEADERS, timeout=3)
                with suppress(grpc.RpcError, asyncio.InvalidStateError):
                    await call.write(filled(method.request, odd).SerializeToString())
                    await call.done_writing()
                    while await call.read() is not grpc.aio.EOF:
                        pass
                call.cancel()
                assert await call.code() not in (grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNAVAILABLE), method.path
                assert "Traceback" not in (await call.details() or "")

    victim.run(misuse)
    base = victim.daemon.root.parent
    assert not [path for path in base.rglob("*escaped*") if path.parent != victim.stacks]
    assert not Path("/etc/escaped").exists()


def served() -> list[methods.Method]:
    names = [name for name in methods.names() if name.startswith("containerd.services.") and "ttrpc" not in name]
    return [method for name in names for method in methods.service(name).methods.values()]


def filled(kind: Any, text: str) -> Any:
    message = kind()
    for field in message.DESCRIPTOR.fields:
        if field.type == field.TYPE_STRING:
            if repeated(field):
                getattr(message, field.name).append(text)
            else:
                setattr(message, field.name, text)
        elif field.type == field.TYPE_MESSAGE and not repeated(field) and ours(field):
            getattr(message, field.name).CopyFrom(filled(type(getattr(message, field.name)), text))
    return message


@pytest.mark.parametrize("data", [b"\xff" * 20, b"\x0a\x7f", b"\x0a\x02\xff\xfe", bytes(range(256)) * 100])
def test_what_is_no_message_is_internal_to_every_method(victim: Victim, data: bytes) -> None:
    """As in grpc-go, whose server cannot unmarshal it."""

    async def misuse(victim: Victim) -> None:
        async with victim.channel() as channel:
            for method in served():
                if data == b"\x0a\x02\xff\xfe" and not takes_text_first(method):
                    continue
                call = channel.stream_stream(method.path)(metadata=HEADERS, timeout=10)
                with suppress(grpc.RpcError, asyncio.InvalidStateError):
                    await call.write(data)
                    await call.done_writing()
                assert await call.code() == grpc.StatusCode.INTERNAL, method.path
                assert "Traceback" not in (await call.details() or "")

    victim.run(misuse)


def ours(field: Any) -> bool:
    return bool(field.message_type.full_name.startswith("containerd."))


def repeated(field: Any) -> bool:
    if hasattr(field, "is_repeated"):
        return bool(field.is_repeated)
    return bool(field.label == field.LABEL_REPEATED)


def takes_text_first(method: methods.Method) -> bool:
    field = method.request.DESCRIPTOR.fields_by_number.get(1)
    return field is not None and field.type == field.TYPE_STRING


@asynccontextmanager
async def connections(victim: Victim, number: int) -> AsyncIterator[list[Any]]:
    made = [victim.channel() for _ in range(number)]
    try:
        yield made
    finally:
        for channel in made:
            await channel.close()
