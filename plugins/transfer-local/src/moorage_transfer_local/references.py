"""Image references: ``host[:port]/repository[:tag][@digest]``.

Grammar and the meaning of short names are those of ``github.com/distribution/reference``, as every client uses them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from moorage_sdk import digests, errors

DEFAULT_HOST = "docker.io"
DEFAULT_TAG = "latest"
MAX_NAME = 255

_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]{{1,5}})?")
_REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


@dataclass(frozen=True)
class Reference:
    """A full reference. ``tag`` and ``digest`` may be empty, not both; with both the digest decides."""

    host: str
    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def object(self) -> str:
        """What a registry is asked for: the digest where there is one, else the tag."""
        return self.digest or self.tag

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.host}/{self.repository}{tag}" + (f"@{self.digest}" if self.digest else "")


def parse(text: str) -> Reference:
    """Read a reference, full or short (``busybox`` is ``docker.io/library/busybox:latest``).

    Raises errors.InvalidArgument, saying which part is wrong.
    """
    name, _, digest = text.partition("@")
    if digest:
        digests.validate(digest)
    name, tag = _split_tag(name)
    host, repository = _split_host(name)
    if not _HOST.fullmatch(host):
        raise _invalid(text, f'host "{host}" is malformed')
    if len(host) + 1 + len(repository) > MAX_NAME:
        raise _invalid(text, f"name is longer than {MAX_NAME} characters")
    if not _REPOSITORY.fullmatch(repository):
        raise _invalid(text, f'repository "{repository}" must be lower case letters, digits and single separators')
    if tag and not _TAG.fullmatch(tag):
        raise _invalid(text, f'tag "{tag}" is malformed')
    return Reference(host, repository, tag or ("" if digest else DEFAULT_TAG), digest)


def hostname(host: str) -> str:
    """``host`` without port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _split_tag(name: str) -> tuple[str, str]:
    """The last colon begins a tag only behind the last slash; before it, it begins a port."""
    head, colon, tag = name.rpartition(":")
    return (head, tag) if colon and "/" not in tag else (name, "")


def _split_host(name: str) -> tuple[str, str]:
    """The first component is a host when it looks like one: a dot, a port, capitals, or ``localhost``."""
    first, slash, rest = name.partition("/")
    if not slash or not (any(mark in first for mark in ".:[") or first == "localhost" or first.lower() != first):
        first, rest = DEFAULT_HOST, name
    if first in ("index.docker.io", "registry-1.docker.io"):
        first = DEFAULT_HOST
    if first == DEFAULT_HOST and "/" not in rest:
        rest = f"library/{rest}"
    return first, rest


def _invalid(text: str, why: str) -> errors.InvalidArgument:
    return errors.InvalidArgument(f'image reference "{text[:300]}": {why}: invalid argument')
