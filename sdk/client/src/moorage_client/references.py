"""Image references: ``alpine`` becomes ``docker.io/library/alpine:latest``.

The grammar, the defaults and the limits are those of github.com/distribution/reference.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from moorage_sdk import digests, errors

DEFAULT_DOMAIN = "docker.io"
LEGACY_DOMAIN = "index.docker.io"
OFFICIAL = "library/"
DEFAULT_TAG = "latest"
MAX_NAME = 255

_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?")
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_IDENTIFIER = re.compile(r"[a-f0-9]{64}")


@dataclass(frozen=True)
class Reference:
    """A full reference. ``tag`` or ``digest`` may be empty, or both when a bare name was parsed."""

    domain: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        return f"{self.domain}/{self.path}"

    def __str__(self) -> str:
        return self.name + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    @property
    def familiar(self) -> str:
        """The short form that people type: without the default domain and its ``library/``."""
        shown = self.name
        if self.domain == DEFAULT_DOMAIN:
            shown = self.path.removeprefix(OFFICIAL) if self.path.count("/") == 1 else self.path
        return shown + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def parse(text: str) -> Reference:
    """Read a reference in any form that people type. Raises errors.InvalidArgument."""
    if _IDENTIFIER.fullmatch(text):
        raise errors.InvalidArgument(f'reference "{text}": is an identifier, not a name: invalid argument')
    rest, digest = _split_digest(text)
    domain, rest = _split_domain(rest)
    path, colon, tag = rest.partition(":")
    if not _DOMAIN.fullmatch(domain) or not _PATH.fullmatch(path) or (colon and not _TAG.fullmatch(tag)):
        hint = "repository names are lower case" if path != path.lower() else ""
        raise errors.InvalidArgument(f'reference "{text}": invalid format: invalid argument', hint=hint)
    if len(domain) + 1 + len(path) > MAX_NAME:
        raise errors.InvalidArgument(f'reference "{text[:64]}…": name longer than {MAX_NAME}: invalid argument')
    return Reference(domain, path, tag, digest)


def normalize(text: str) -> str:
    """The name under which an image is stored: full, and with a tag unless it has a digest.

    Raises errors.InvalidArgument.
    """
    reference = parse(text)
    if not reference.tag and not reference.digest:
        reference = replace(reference, tag=DEFAULT_TAG)
    return str(reference)


def familiar(name: str) -> str:
    """The short form of a stored name; a name that is no reference is shown as it is."""
    try:
        return parse(name).familiar
    except errors.InvalidArgument:
        return name


def _split_digest(text: str) -> tuple[str, str]:
    rest, at, digest = text.partition("@")
    return rest, digests.validate(digest) if at else ""


def _split_domain(rest: str) -> tuple[str, str]:
    """What stands before the first slash is a domain only if it looks like one (a dot, a port, upper case)."""
    first, slash, remainder = rest.partition("/")
    if not slash or not (set(".:") & set(first) or first == "localhost" or first != first.lower()):
        first, remainder = DEFAULT_DOMAIN, rest
    if first == LEGACY_DOMAIN:
        first = DEFAULT_DOMAIN
    if first == DEFAULT_DOMAIN and "/" not in remainder:
        remainder = OFFICIAL + remainder
    return first, remainder
