"""One unary call without an event loop, for programs that live for a moment and must start fast."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from pathlib import Path

from moorage_sdk import errors
from moorage_ttrpc import frames, messages, statuses


def call(
    path: Path,
    service: str,
    method: str,
    payload: bytes,
    metadata: Iterable[tuple[str, str]] = (),
    timeout: float = 10.0,
) -> bytes:
    """Connect, ask, and return the encoded response.

    Raises the error that the server answered, Unavailable if there is no server or it goes away, DeadlineExceeded.
    """
    request = messages.Request(service, method, payload, int(timeout * 1e9), tuple(metadata))
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as connection:
            connection.settimeout(timeout)
            connection.connect(os.fspath(path))
            connection.sendall(frames.encode(frames.Frame(1, frames.REQUEST, 0, messages.encode_request(request))))
            response = _response(connection, path)
    except TimeoutError as error:
        raise errors.DeadlineExceeded(f'ttrpc server "{path}": no answer within {timeout:g} s') from error
    except OSError as error:
        raise errors.Unavailable(f'ttrpc server "{path}": {error.strerror or error}') from error
    if response.status.code != statuses.OK:
        raise statuses.error(response.status)
    return response.payload


def _response(connection: socket.socket, path: Path) -> messages.Response:
    parser = frames.Parser()
    while chunk := connection.recv(1 << 16):
        for frame in parser.feed(chunk):
            if frame.oversized:
                raise frames.too_long(frame.oversized)
            return messages.decode_response(frame.data)
    raise errors.Unavailable(f'ttrpc server "{path}": connection closed')
