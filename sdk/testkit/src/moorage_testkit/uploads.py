"""A registry in memory that takes pushes to the letter, and breaks off where a test says so.

Debian's docker-registry forgets an upload whose connection broke; this one keeps every byte, as the OCI distribution
specification ("Push") lets it, so that resuming can be seen.

    with Uploads(breaks=[100_000]) as registry:    # the first request with a body breaks off after so many bytes of it
        transfer.push(view, Push(f"{registry.address}/a/b:c"), print)
        assert registry.sent == [100_000, 200_000]
"""

from __future__ import annotations

import itertools
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from moorage_sdk import digests
from moorage_testkit.http_servers import PatientServer

_UPLOADS = re.compile(r"/v2/(?P<name>.+)/blobs/uploads/(?P<id>[0-9]*)")
_BLOB = re.compile(r"/v2/(?P<name>.+)/blobs/(?P<digest>sha256:[0-9a-f]+)")
_MANIFEST = re.compile(r"/v2/(?P<name>.+)/manifests/(?P<reference>.+)")


@dataclass
class Uploads:
    """Listens on ``address``. ``blobs`` by repository and digest, ``manifests`` by repository and tag or digest.

    ``breaks`` are numbers of bytes after which a request with a blob's bytes breaks off, one for each of them; None for
    one that does not. ``sent`` are the bytes that each brought. ``location`` makes the header of that name of an
    absolute path. ``forgets``: uploads that broke off are unknown afterwards. ``denies``: statuses that such requests
    are answered with, one after the other, after their bytes were taken; None for one that is not. ``awaits``: no bytes
    are taken before this event.
    """

    breaks: list[int | None] = field(default_factory=list)
    denies: list[int | None] = field(default_factory=list)
    location: Callable[[str], str] = lambda path: path
    forgets: bool = False
    awaits: threading.Event | None = None
    blobs: dict[tuple[str, str], bytes] = field(default_factory=dict)
    manifests: dict[tuple[str, str], bytes] = field(default_factory=dict)
    uploads: dict[str, bytearray] = field(default_factory=dict)
    sent: list[int] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._server = PatientServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"registry": self}))
        self.address = f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    def methods(self) -> list[str]:
        """Of requests about blobs and uploads, in order."""
        return [method for method, target in list(self.requests) if "/blobs/" in target]


class _Handler(BaseHTTPRequestHandler):
    registry: Uploads
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        registry = self._begun()
        if found := _BLOB.fullmatch(self.path):
            known = (found["name"], found["digest"]) in registry.blobs
            self._answer(200 if known else 404, {"Docker-Content-Digest": found["digest"]})
        elif found := _MANIFEST.fullmatch(self.path):
            data = registry.manifests.get((found["name"], found["reference"]))
            self._answer(404 if data is None else 200, {"Docker-Content-Digest": digests.of(data or b"")})

    def do_POST(self) -> None:
        registry, parts = self._begun(), urlsplit(self.path)
        query, found = parse_qs(parts.query), _UPLOADS.fullmatch(parts.path)
        assert found is not None
        [digest], [source] = query.get("mount", [""]), query.get("from", [""])
        data = registry.blobs.get((source, digest))
        if data is not None:
            registry.blobs[found["name"], digest] = data
            self._answer(201, {"Docker-Content-Digest": digest})
            return
        with registry.lock:
            id = str(next(registry.ids))
            registry.uploads[id] = bytearray()
        self._answer(202, self._place(f"{parts.path}{id}"))

    def do_GET(self) -> None:
        registry, parts = self._begun(), urlsplit(self.path)
        found = _UPLOADS.fullmatch(parts.path)
        upload = registry.uploads.get(found["id"]) if found else None
        if upload is None:
            self._answer(404)
            return
        self._answer(204, {**self._place(parts.path), "Range": f"0-{max(len(upload) - 1, 0)}"})

    def do_PATCH(self) -> None:
        self._begun()
        if (upload := self._receive()) is not None:
            path = urlsplit(self.path).path
            self._answer(202, {**self._place(path), "Range": f"0-{max(len(upload) - 1, 0)}"})

    def do_PUT(self) -> None:
        registry, parts = self._begun(), urlsplit(self.path)
        if found := _MANIFEST.fullmatch(parts.path):
            data = self.rfile.read(int(self.headers["Content-Length"]))
            digest = digests.of(data)
            registry.manifests[found["name"], found["reference"]] = registry.manifests[found["name"], digest] = data
            self._answer(201, {"Docker-Content-Digest": digest})
        elif (upload := self._receive()) is not None:
            found = _UPLOADS.fullmatch(parts.path)
            [wanted] = parse_qs(parts.query)["digest"]
            assert found is not None
            digest = digests.of(bytes(upload))
            if digest != wanted:
                self._answer(400)
                return
            registry.blobs[found["name"], digest] = bytes(registry.uploads.pop(found["id"]))
            self._answer(201, {"Docker-Content-Digest": digest})

    def log_message(self, format: str, *args: Any) -> None:
        """Tests look at ``requests``."""

    def _begun(self) -> Uploads:
        self.registry.requests.append((self.command, self.path))
        return self.registry

    def _receive(self) -> bytearray | None:
        """Take the body into the upload; None when it went wrong, and that was said."""
        registry, found = self.registry, _UPLOADS.fullmatch(urlsplit(self.path).path)
        upload = registry.uploads.get(found["id"]) if found else None
        length = int(self.headers.get("Content-Length") or 0)
        if registry.awaits is not None and length:
            registry.awaits.wait(60)
        if upload is None or not self._follows(len(upload)):
            self.rfile.read(length)
            self._answer(404 if upload is None else 416)
            return None
        stop, status = self._fault(registry.breaks, length), self._fault(registry.denies, length)
        taken = self.rfile.read(length if stop is None else min(stop, length))
        upload += taken
        if length:
            registry.sent.append(len(taken))
        if stop is None and status is None:
            return upload
        if registry.forgets and found is not None:
            del registry.uploads[found["id"]]
        if stop is not None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif status is not None:
            self._answer(status)
        return None

    def _follows(self, length: int) -> bool:
        """Whether the body begins where the upload ends; without Content-Range it is all of it."""
        extent = self.headers.get("Content-Range", "")
        return int(extent.partition("-")[0]) == length if extent else True

    def _fault(self, faults: list[int | None], length: int) -> int | None:
        with self.registry.lock:
            return faults.pop(0) if faults and length else None

    def _place(self, path: str) -> dict[str, str]:
        return {"Location": self.registry.location(path)}

    def _answer(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response_only(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", "0")
        self.end_headers()
