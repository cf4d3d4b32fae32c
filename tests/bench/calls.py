"""How long calls take, and how fast content flows, with grpcio's client and with one that costs next to nothing."""

from __future__ import annotations

import hashlib
import itertools
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, Protocol

import grpc
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from lean import Lean
from sides import Bench, Side
from tables import Row, median

from moorage_api import methods
from moorage_api.messages import containers, content, namespaces, snapshots

NAMESPACE = "bench-calls"
BLOCK = 50
"""Calls of one side before it is the other's turn."""

PIECE = 1 << 20
SNAPSHOT = "bench"


class Client(Protocol):
    def call(self, service: str, method: str, request: Message) -> int:
        """Returns the size of what came back."""

    def write(self, ref: str, blob: Blob) -> None:
        """Store a blob."""


def measure(bench: Bench) -> list[Row]:
    sides = (bench.ours, bench.theirs)
    for side in sides:
        _fill(side, bench.options.records)
    rows = []
    for label, clients, aim in (("grpcio client", _Grpcio, "<= 2.5 times"), ("lean client", _Lean, "<= 4 times")):
        callers = {side.name: bench.stack.enter_context(closing(clients(side))) for side in sides}
        for name, call in _unary(bench.options.records).items():
            found = bench.in_turns(bench.options.blocks, lambda side, _, call=call, of=callers: call(of[side.name]))
            wanted = aim if name[0] != "*" else "linear"
            rows.append(Row(f"{name.lstrip('*')}, {label}", "ms", median(found[0]), median(found[1]), wanted))
        rows += _flow(bench, label, callers)
    return rows


def _unary(records: int) -> dict[str, Callable[[Client], float]]:
    """What is called, each the time of one call in milliseconds; a star is for those that are not of one record."""
    version = ("version.v1.Version", "Version", Empty())
    get = ("containers.v1.Containers", "Get", containers.GetContainerRequest(id=f"record-{records // 2}"))
    stat = ("snapshots.v1.Snapshots", "Stat", snapshots.StatSnapshotRequest(snapshotter="native", key=SNAPSHOT))
    list_all = ("containers.v1.Containers", "List", containers.ListContainersRequest())
    one = ("containers.v1.Containers", "List", containers.ListContainersRequest(filters=["id==record-1"]))
    return {
        "Version": lambda caller: _median_of(caller, version, BLOCK),
        "Containers.Get": lambda caller: _median_of(caller, get, BLOCK),
        "Snapshots.Stat": lambda caller: _median_of(caller, stat, BLOCK),
        f"*Containers.List of {records:,}": lambda caller: _median_of(caller, list_all, 1),
        "*Containers.List, one of them by filter": lambda caller: _median_of(caller, one, 1),
    }


def _median_of(caller: Client, what: tuple[str, str, Message], times: int) -> float:
    took = []
    for _ in range(times):
        began = time.perf_counter()
        caller.call(*what)
        took.append(1000 * (time.perf_counter() - began))
    return median(took)


def _flow(bench: Bench, label: str, callers: dict[str, Client]) -> list[Row]:
    """Seconds for the blob each way."""
    size = bench.options.blob << 20
    pieces = size // PIECE
    numbers = itertools.count()

    def write(side: Side, _: int) -> float:
        data = Blob(os.urandom(PIECE), pieces)
        began = time.perf_counter()
        callers[side.name].write(f"{label}-{next(numbers)}", data)
        took = time.perf_counter() - began
        kept.setdefault(side.name, data.digest)
        return took

    def read(side: Side, _: int) -> float:
        request = content.ReadContentRequest(digest=kept[side.name])
        began = time.perf_counter()
        received = callers[side.name].call("content.v1.Content", "Read", request)
        took = time.perf_counter() - began
        if received < size:
            raise RuntimeError(f"{side.name}: {received} bytes of {size}")
        return took

    kept: dict[str, str] = {}
    written = bench.in_turns(bench.options.flows, write)
    was_read = bench.in_turns(bench.options.flows, read)
    return [
        Row(f"Content.Write of {size >> 20} MiB, {label}", "s", median(written[0]), median(written[1]), "not slower"),
        Row(f"Content.Read of {size >> 20} MiB, {label}", "s", median(was_read[0]), median(was_read[1]), "not slower"),
    ]


class Blob:
    """Many pieces, one of them random, which makes the blob its own; hashed before the clock runs."""

    def __init__(self, piece: bytes, pieces: int) -> None:
        self._pieces = [piece, *[bytes(PIECE)] * (pieces - 1)]
        found = hashlib.sha256()
        for each in self._pieces:
            found.update(each)
        self.digest = f"sha256:{found.hexdigest()}"

    def requests(self, ref: str) -> Iterator[content.WriteContentRequest]:
        total = PIECE * len(self._pieces)
        for number, piece in enumerate(self._pieces):
            yield content.WriteContentRequest(
                action=content.WRITE, ref=ref, total=total, offset=number * PIECE, data=piece
            )
        yield content.WriteContentRequest(
            action=content.COMMIT, ref=ref, total=total, offset=total, expected=self.digest, labels=_KEEP
        )


_KEEP = {"containerd.io/gc.root": "bench"}
_SPEC = Packed(type_url="types.containerd.io/opencontainers/runtime-spec/1/Spec", value=b'{"ociVersion":"1.1.0"}')


class _Grpcio:
    """What every Python client of containerd's API would use."""

    def __init__(self, side: Side) -> None:
        options = [("grpc.max_receive_message_length", 64 << 20)]
        self._channel = grpc.insecure_channel(f"unix:{side.daemon.address}", options=options)
        self._metadata = (("containerd-namespace", NAMESPACE),)
        self._callables: dict[str, Callable[..., Any]] = {}

    def call(self, service: str, method: str, request: Message) -> int:
        answer = self._callable(service, method)(request.SerializeToString(), metadata=self._metadata)
        return len(answer) if isinstance(answer, bytes) else sum(map(len, answer))

    def write(self, ref: str, blob: Blob) -> None:
        requests = (request.SerializeToString() for request in blob.requests(ref))
        for _ in self._callable("content.v1.Content", "Write")(requests, metadata=self._metadata):
            pass

    def close(self) -> None:
        self._channel.close()

    def _callable(self, service: str, name: str) -> Callable[..., Any]:
        method = methods.service(f"containerd.services.{service}").methods[name]
        if method.path not in self._callables:
            kind = ("stream" if method.client_streaming else "unary", "stream" if method.server_streaming else "unary")
            self._callables[method.path] = getattr(self._channel, "_".join(kind))(method.path)
        return self._callables[method.path]


class _Lean:
    def __init__(self, side: Side) -> None:
        self._connection = Lean(side.daemon.address)

    def call(self, service: str, method: str, request: Message) -> int:
        path = f"/containerd.services.{service}/{method}"
        return self._connection.call(path, NAMESPACE, request.SerializeToString())

    def write(self, ref: str, blob: Blob) -> None:
        path = "/containerd.services.content.v1.Content/Write"
        requests = (request.SerializeToString() for request in blob.requests(ref))
        self._connection.upload(path, NAMESPACE, requests)

    def close(self) -> None:
        self._connection.close()


def _fill(side: Side, records: int) -> None:
    with closing(_Grpcio(side)) as caller:
        caller.call(
            "namespaces.v1.Namespaces",
            "Create",
            namespaces.CreateNamespaceRequest(namespace=namespaces.Namespace(name=NAMESPACE)),
        )
        caller.call(
            "snapshots.v1.Snapshots",
            "Prepare",
            snapshots.PrepareSnapshotRequest(snapshotter="native", key=SNAPSHOT, labels=_KEEP),
        )
        runtime = containers.Container.Runtime(name="io.containerd.runc.v2")
        for number in range(records):
            record = containers.Container(id=f"record-{number}", image="bench", runtime=runtime, spec=_SPEC)
            caller.call("containers.v1.Containers", "Create", containers.CreateContainerRequest(container=record))
