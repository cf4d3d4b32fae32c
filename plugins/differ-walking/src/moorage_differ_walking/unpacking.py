"""A layer from a stream into a directory: parser, files and digest together."""

from __future__ import annotations

from moorage_differ_walking.cursors import Cursor
from moorage_differ_walking.entries import Archive
from moorage_differ_walking.extractions import Extraction
from moorage_differ_walking.jobs import Outcome
from moorage_differ_walking.limits import Limits
from moorage_differ_walking.streams import Plain, Source


def unpack(source: Source, compression: str, extraction: Extraction, limits: Limits) -> Outcome:
    """Raises as ``Extraction.add``, ``Archive`` and ``Plain`` do."""
    plain = Plain(source, compression, limits)
    cursor = Cursor(iter(plain))
    archive = Archive(cursor, limits, extraction.plain)
    for entry in archive:
        extraction.add(entry, archive.data(entry))
    # The diff id is that of all bytes, padding and whatever else follows the archive included.
    cursor.drain()
    extraction.finish()
    return Outcome(plain.digest, plain.size)
