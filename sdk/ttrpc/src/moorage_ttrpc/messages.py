"""The four messages of ttrpc and a codec for exactly them.

``Request``, ``Response`` and ``KeyValue`` are those of request.proto in github.com/containerd/ttrpc; ``Status`` is
google.rpc.Status, with its details kept as encoded ``google.protobuf.Any``. The codec is here so that a process that
speaks ttrpc need not load a protobuf runtime for the envelope; the tests hold it against Google's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from moorage_sdk import errors

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
"""Wire types of the protobuf encoding; groups (3, 4) never occur in proto3."""


@dataclass(frozen=True, slots=True)
class Status:
    """google.rpc.Status: a gRPC code, a message for people, encoded ``Any`` details."""

    code: int = 0
    message: str = ""
    details: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """A call: where it goes, the encoded argument, nanoseconds until it is overdue (0 is never), metadata pairs."""

    service: str = ""
    method: str = ""
    payload: bytes = b""
    timeout_nano: int = 0
    metadata: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Response:
    """The end of a call: the encoded result, and the status, OK if its code is 0."""

    status: Status = Status()
    payload: bytes = b""


def encode_request(request: Request) -> bytes:
    """Raises InvalidArgument for text that has no UTF-8 form (lone surrogates)."""
    return (
        _bytes(1, _utf8(request.service))
        + _bytes(2, _utf8(request.method))
        + _bytes(3, request.payload)
        + _number(4, request.timeout_nano)
        + b"".join(_field(5, _bytes(1, _utf8(key)) + _bytes(2, _utf8(value))) for key, value in request.metadata)
    )


def decode_request(data: bytes) -> Request:
    """Raises InvalidArgument for bytes that are not a Request."""
    service = method = ""
    payload, timeout = b"", 0
    metadata: list[tuple[str, str]] = []
    for number, value in fields(data):
        match number, value:
            case 1, bytes():
                service = _text(value)
            case 2, bytes():
                method = _text(value)
            case 3, bytes():
                payload = value
            case 4, int():
                timeout = _signed(value)
            case 5, bytes():
                metadata.append(_pair(value))
    return Request(service, method, payload, timeout, tuple(metadata))


def encode_response(response: Response) -> bytes:
    """A response that is OK carries no status at all, as Go's server sends it."""
    status = encode_status(response.status)
    return (_field(1, status) if status else b"") + _bytes(2, response.payload)


def decode_response(data: bytes) -> Response:
    """Raises InvalidArgument for bytes that are not a Response."""
    status, payload = b"", b""
    for number, value in fields(data):
        match number, value:
            case 1, bytes():
                status += value  # a message field that occurs twice is merged, which is what concatenation does
            case 2, bytes():
                payload = value
    return Response(decode_status(status), payload)


def encode_status(status: Status) -> bytes:
    details = b"".join(_field(3, detail) for detail in status.details)
    return _number(1, status.code) + _bytes(2, _utf8(status.message)) + details


def decode_status(data: bytes) -> Status:
    """Raises InvalidArgument for bytes that are not a Status."""
    code, message = 0, ""
    details: list[bytes] = []
    for number, value in fields(data):
        match number, value:
            case 1, int():
                code = _signed32(value)
            case 2, bytes():
                message = _text(value)
            case 3, bytes():
                details.append(value)
    return Status(code, message, tuple(details))


def _pair(data: bytes) -> tuple[str, str]:
    texts = {1: "", 2: ""}
    for number, value in fields(data):
        if number in texts and isinstance(value, bytes):
            texts[number] = _text(value)
    return texts[1], texts[2]


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field numbers of any protobuf message with their values; fields of fixed width are skipped.

    For programs that start too often to load a protobuf runtime. Raises InvalidArgument for bytes that are no message.
    """
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if number == 0 or tag > 0xFFFFFFFF:
            raise _malformed("field number")
        if kind == VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        size, at = _varint(data, at) if kind == LENGTH else (_width(kind), at)
        if size > len(data) - at:
            raise _malformed("length")
        if kind == LENGTH:
            yield number, data[at : at + size]
        at += size


def _width(kind: int) -> int:
    if kind == FIXED64:
        return 8
    if kind == FIXED32:
        return 4
    raise _malformed("wire type")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise _malformed("number")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
    raise _malformed("number")


def _encode_varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _field(number: int, value: bytes) -> bytes:
    return _encode_varint(number << 3 | LENGTH) + _encode_varint(len(value)) + value


def _bytes(number: int, value: bytes) -> bytes:
    return _field(number, value) if value else b""


def _number(number: int, value: int) -> bytes:
    """A signed number; a negative one takes ten bytes, as int32 and int64 do in protobuf."""
    return _encode_varint(number << 3 | VARINT) + _encode_varint(value & 0xFFFFFFFFFFFFFFFF) if value else b""


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _signed32(value: int) -> int:
    low = value & 0xFFFFFFFF
    return low - (1 << 32) if low >> 31 else low


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _malformed("text") from error


def _utf8(value: str) -> bytes:
    try:
        return value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise errors.InvalidArgument(f"text {value!r}: has no UTF-8 form") from error


def _malformed(what: str) -> errors.InvalidArgument:
    return errors.InvalidArgument(f"ttrpc message: malformed {what}")
