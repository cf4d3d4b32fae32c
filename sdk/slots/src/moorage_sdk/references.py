"""Image references: ``host[:port]/repository[:tag][@digest]``, and the short forms that people type.

Grammar, defaults and limits are those of ``github.com/distribution/reference``, as every client uses them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from moorage_sdk import digests, errors

DEFAULT_HOST = "docker.io"
OLD_NAMES = ("index.docker.io", "registry-1.docker.io")
"""Other hosts that mean the default one in references."""

OFFICIAL = "library/"
DEFAULT_TAG = "latest"
MAX_NAME = 255

_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]{{1,5}})?")
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_IDENTIFIER = re.compile(r"[a-f0-9]{64}")


@dataclass(frozen=True)
class Reference:
    """``tag`` and ``digest`` may be empty, both when a bare name was read; with both the digest decides."""

    host: str
    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        return f"{self.host}/{self.repository}"

    @property
    def object(self) -> str:
        """What a registry is asked for: the digest where there is one, else the tag."""
        return self.digest or self.tag

    @property
    def familiar(self) -> str:
        """The short form that people type: without the default host and its ``library/``."""
        if self.host != DEFAULT_HOST:
            return str(self)
        short = self.repository.removeprefix(OFFICIAL) if self.repository.count("/") == 1 else self.repository
        return short + self._suffix

    @property
    def _suffix(self) -> str:
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    def __str__(self) -> str:
        return self.name + self._suffix


def parse(text: str) -> Reference:
    """Read a reference, full or short. Raises errors.InvalidArgument, saying which part is wrong."""
    if not text:
        raise _invalid(text, "is empty")
    if _IDENTIFIER.fullmatch(text):
        raise _invalid(text, "is an identifier, not a name")
    name, at, digest = text.partition("@")
    if at:
        digests.validate(digest)
    name, colon, tag = _split_tag(name)
    host, repository = _split_host(name)
    if not _HOST.fullmatch(host):
        raise _invalid(text, f'host "{host}" is malformed')
    if len(host) + 1 + len(repository) > MAX_NAME:
        raise _invalid(text, f"name is longer than {MAX_NAME} characters")
    if not _REPOSITORY.fullmatch(repository):
        hint = "repository names are lower case" if repository != repository.lower() else ""
        raise _invalid(text, f'repository "{repository}" is malformed', hint)
    if colon and not _TAG.fullmatch(tag):
        raise _invalid(text, f'tag "{tag}" is malformed')
    return Reference(host, repository, tag, digest)


def full(text: str) -> Reference:
    """As ``parse``, and with the default tag where there is neither tag nor digest."""
    reference = parse(text)
    return reference if reference.object else replace(reference, tag=DEFAULT_TAG)


def normalize(text: str) -> str:
    """The name under which an image is stored. Raises errors.InvalidArgument."""
    return str(full(text))


def familiar(name: str) -> str:
    """The short form of a stored name; a name that is no reference is shown as it is."""
    try:
        return parse(name).familiar
    except errors.InvalidArgument:
        return name


def hostname(host: str) -> str:
    """``host`` without port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _split_tag(name: str) -> tuple[str, str, str]:
    """The last colon begins a tag only behind the last slash; before it, it begins a port."""
    head, colon, tag = name.rpartition(":")
    return (head, colon, tag) if colon and "/" not in tag else (name, "", "")


def _split_host(name: str) -> tuple[str, str]:
    """The first component is a host when it looks like one: a dot, a port, capitals, or ``localhost``."""
    first, slash, rest = name.partition("/")
    if not slash or not (any(mark in first for mark in ".:[") or first == "localhost" or first.lower() != first):
        first, rest = DEFAULT_HOST, name
    if first in OLD_NAMES:
        first = DEFAULT_HOST
    if first == DEFAULT_HOST and "/" not in rest:
        rest = OFFICIAL + rest
    return first, rest


def _invalid(text: str, why: str, hint: str = "") -> errors.InvalidArgument:
    return errors.InvalidArgument(f'image reference "{text[:300]}": {why}: invalid argument', hint=hint)
