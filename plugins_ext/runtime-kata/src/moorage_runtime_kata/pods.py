"""The kubelet's configuration of a pod, ``runtime.v1.PodSandboxConfig``, from which Kata takes annotations as well.

Only one of its fields is of interest, so its messages are read field by field and everything else stays as it was
(https://protobuf.dev/programming-guides/encoding).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from moorage_runtime_kata import permits
from moorage_sdk import errors
from moorage_sdk.events import Payload

TYPE = "runtime.v1.PodSandboxConfig"
_ANNOTATIONS = 7
"""``map<string, string> annotations`` (k8s.io/cri-api/pkg/apis/runtime/v1/api.proto)."""
_KEY = 1

_LONGEST = 10
"""Bytes of a varint."""


def holds(options: Payload) -> bool:
    return options.type_url.rpartition("/")[2] == TYPE


def cleaned(subject: str, config: bytes, patterns: Iterable[str]) -> tuple[bytes, list[str]]:
    """The configuration, and the names of the annotations that were taken away. Raises errors.InvalidArgument."""
    listed, kept, refused = tuple(patterns), [], []
    try:
        for number, content, whole in _fields(config):
            name = _name(content) if number == _ANNOTATIONS else ""
            taken = permits.allowed({name: ""}, listed)[1]
            refused += taken
            kept += [] if taken else [whole]
    except (ValueError, IndexError) as error:
        raise errors.InvalidArgument(f"configuration of {subject}: no {TYPE}: invalid argument") from error
    return b"".join(kept), sorted(refused)


def _name(entry: bytes) -> str:
    """The key of an entry of a map; the last one counts, as everywhere in protobuf."""
    keys = [content for number, content, _ in _fields(entry) if number == _KEY]
    return keys[-1].decode() if keys else ""


def _fields(message: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Number, content if it is of bytes, and all the bytes of each field. Raises ValueError, IndexError."""
    at = 0
    while at < len(message):
        begin = at
        tag, at = _varint(message, at)
        content = b""
        match tag & 7:
            case 0:
                _, at = _varint(message, at)
            case 1:
                at += 8
            case 2:
                size, at = _varint(message, at)
                content, at = message[at : at + size], at + size
            case 5:
                at += 4
            case kind:
                raise ValueError(f"wire type {kind}")
        if at > len(message):
            raise ValueError("cut off")
        yield tag >> 3, content, message[begin:at]


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """The number there, and where it ends."""
    value = 0
    for place in range(_LONGEST):
        byte = message[at + place]
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value, at + place + 1
    raise ValueError("number without an end")
