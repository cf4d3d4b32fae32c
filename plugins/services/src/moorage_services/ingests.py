"""The protocol of ``Content.Write``: what each message of the stream does to a writer.

Blocking, and without grpc. Rules and their order are those of plugins/services/content/contentserver in containerd 2.3,
down to the trap that a COMMIT with offset 0 truncates what was written before.
"""

from __future__ import annotations

import logging

from moorage_api.convert import timestamps
from moorage_api.messages import content
from moorage_sdk import digests, errors
from moorage_sdk.content import ContentStore, Status, Writer

log = logging.getLogger(__name__)


class Ingest:
    """One stream. Making it opens the writer, and with it locks the reference, until ``close``."""

    def __init__(self, store: ContentStore, first: content.WriteContentRequest) -> None:
        """Raises errors.InvalidArgument without a reference, and as ContentStore.writer."""
        if not first.ref:
            raise errors.InvalidArgument("first message must have a reference: invalid argument")
        self._store = store
        self._ref = first.ref
        self._total = first.total
        self._told = content.WriteContentResponse()
        self._expected = digests.validate(first.expected) if first.expected else ""
        self._writer: Writer = store.writer(first.ref, size=max(first.total, 0), expected=self._expected)

    def answer(self, request: content.WriteContentRequest) -> content.WriteContentResponse:
        """Do what a message says. After a COMMIT the stream is over.

        What a STAT told stands in the answers after it, too: times and total as they were then, as in containerd, which
        fills the same message again.

        Raises errors.AlreadyExists for an expected blob that is there by now (the ingest is gone then),
        errors.OutOfRange for an offset that is not the current one, and as Writer's methods.
        """
        status = self._writer.status()
        self._expect(request)
        if request.action == content.STAT:
            self._told = self._stat(status)
            return self._told
        offset = self._write(request, status.offset)
        if request.action == content.COMMIT:
            labels = dict(request.labels) or None
            digest = self._writer.commit(max(self._total, 0), self._expected, labels)
        else:
            digest = self._writer.digest()
        answer = content.WriteContentResponse(action=request.action, offset=offset, digest=digest)
        answer.total = self._told.total
        for field in ("started_at", "updated_at"):
            if self._told.HasField(field):
                getattr(answer, field).CopyFrom(getattr(self._told, field))
        return answer

    def close(self) -> None:
        """Unlock the reference; what was written stays and can be resumed."""
        self._writer.close()

    def _expect(self, request: content.WriteContentRequest) -> None:
        """Size and digest may be told at any time; the last word counts."""
        if request.total > 0:
            self._total = request.total
        if request.expected:
            self._expected = digests.validate(request.expected)
            if self._exists(self._expected):
                self._discard()
                raise errors.AlreadyExists(f"blob with expected digest {self._expected} exists: already exists")

    def _exists(self, digest: str) -> bool:
        try:
            self._store.info(digest)
        except errors.NotFound:
            return False
        return True

    def _discard(self) -> None:
        self._writer.close()
        try:
            self._store.abort(self._ref)
        except errors.Error as error:
            log.warning("ingest %r: not aborted: %s", self._ref, error)

    def _write(self, request: content.WriteContentRequest, current: int) -> int:
        """The offset behind the data of the request."""
        if request.offset < 0:
            raise errors.InvalidArgument(f"write @{request.offset}: negative offset: invalid argument")
        if request.offset > 0 and request.offset != current:
            raise errors.OutOfRange(f"write @{request.offset} must occur at current offset {current}: out of range")
        if request.offset == 0 and current > 0:
            self._writer.truncate(0)
        if request.data:
            self._writer.write(request.data)
        return request.offset + len(request.data)

    def _stat(self, status: Status) -> content.WriteContentResponse:
        return content.WriteContentResponse(
            action=content.STAT,
            started_at=timestamps.to_message(status.started_at),
            updated_at=timestamps.to_message(status.updated_at),
            offset=status.offset,
            total=self._total,
            digest=self._writer.digest(),
        )
