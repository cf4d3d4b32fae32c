"""Ingests: bytes that a client sends into the content store.

The reference of an ingest is containerd's (``tar-<name>``), so that one which a dead daemon left behind is taken over
by the next import of the same archive. It begins anew then: bytes that nobody checked are not built upon.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping

from moorage_sdk import digests, errors
from moorage_sdk.content import ContentStore, Writer
from moorage_sdk.descriptors import Descriptor
from moorage_transfer_local.stops import Stop

_PLAIN = re.compile(r"[\x21-\x7e]{1,250}")


def store_stream(
    content: ContentStore, name: str, pieces: Iterable[bytes], stop: Stop, *, size: int, expected: str = ""
) -> str:
    """Store the file ``name``; its digest. Where ``expected`` is there already nothing is written.

    Raises errors.DataLoss when the bytes have another digest, and then, as after any failure, no ingest is left.
    """
    try:
        ref, writer = _writer(content, _reference(name), size, expected)
    except errors.AlreadyExists:
        return expected
    with _aborted_on_failure(content, ref, writer):
        for piece in pieces:
            stop.check()
            writer.write(piece)
        return _commit(name, writer, size, expected)


def store_bytes(content: ContentStore, data: bytes, media_type: str) -> Descriptor:
    """Store a document that was made here."""
    descriptor = Descriptor(media_type, digests.of(data), len(data))
    ref = f"manifest-{descriptor.digest}"
    try:
        ref, writer = _writer(content, ref, len(data), descriptor.digest)
    except errors.AlreadyExists:
        return descriptor
    with _aborted_on_failure(content, ref, writer):
        writer.write(data)
        _commit(ref, writer, len(data), descriptor.digest)
    return descriptor


def hold(content: ContentStore, digest: str) -> bool:
    """Whether the blob is there. It is added to the lease then, so that it stays."""
    ref = f"hold-{digest}"
    try:
        ref, writer = _writer(content, ref, 0, digest)
    except errors.AlreadyExists:
        return True
    writer.close()
    with contextlib.suppress(errors.NotFound, errors.Unavailable):
        content.abort(ref)
    return False


@contextlib.contextmanager
def fresh(content: ContentStore, ref: str) -> Iterator[Writer]:
    """A writer at its beginning, for bytes of unknown number; no ingest is left after a failure."""
    ref, writer = _writer(content, ref, 0, "")
    with _aborted_on_failure(content, ref, writer):
        yield writer


def commit(writer: Writer, labels: Mapping[str, str]) -> str:
    """Commit whatever was written; its digest, also of a blob that exists."""
    digest = writer.digest()
    with contextlib.suppress(errors.AlreadyExists):
        writer.commit(labels=labels)
    return digest


def _commit(name: str, writer: Writer, size: int, expected: str) -> str:
    digest = writer.digest()
    try:
        return writer.commit(size, expected)
    except errors.AlreadyExists:
        return expected or digest
    except errors.FailedPrecondition as error:
        raise errors.DataLoss(f'archive: "{shown(name)}": {error.message}: data loss') from None


def shown(name: str) -> str:
    """A name of a stranger, fit for a message."""
    return name.encode("ascii", "backslashreplace").decode()[:300]


def _reference(name: str) -> str:
    return f"tar-{name}" if _PLAIN.fullmatch(name) else f"tar-{digests.of(name.encode('utf-8', 'surrogateescape'))}"


def _writer(content: ContentStore, ref: str, size: int, expected: str) -> tuple[str, Writer]:
    """The writer of an empty ingest: the one of the name, or, while another import has that, one beside it."""
    try:
        writer = content.writer(ref, size=size, expected=expected)
    except errors.Unavailable:
        ref = f"{ref}-{os.urandom(6).hex()}"
        writer = content.writer(ref, size=size, expected=expected)
    except errors.FailedPrecondition:
        # Begun for a file of another size.
        with contextlib.suppress(errors.NotFound, errors.Unavailable):
            content.abort(ref)
        writer = content.writer(ref, size=size, expected=expected)
    try:
        if writer.status().offset:
            writer.truncate(0)
    except BaseException:
        writer.close()
        raise
    return ref, writer


@contextlib.contextmanager
def _aborted_on_failure(content: ContentStore, ref: str, writer: Writer) -> Iterator[None]:
    try:
        with writer:
            yield
    except BaseException:
        with contextlib.suppress(errors.NotFound, errors.Unavailable):
            content.abort(ref)
        raise
