"""Environment variables, ``NAME=value``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from moorage_sdk import errors

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""``defaultUnixEnv`` of pkg/oci/spec_opts.go, for images that set nothing."""


def merged(base: Iterable[str], overrides: Iterable[str]) -> tuple[str, ...]:
    """``overrides`` replace in place or are appended; one without ``=`` removes the variable."""
    result = {entry.partition("=")[0]: entry for entry in base}
    for entry in overrides:
        name, equals, _ = entry.partition("=")
        if equals:
            result[name] = entry
        else:
            result.pop(name, None)
    return tuple(result.values())


def given(entries: Iterable[str], own: Mapping[str, str]) -> tuple[str, ...]:
    """What people type after ``-e``: ``NAME`` alone takes the value from ``own`` and is left out where it has none.

    Raises errors.InvalidArgument for an entry without a name or with a null byte.
    """
    filled = []
    for entry in entries:
        name, equals, _ = entry.partition("=")
        if not name or "\0" in entry:
            raise errors.InvalidArgument(f"environment variable {entry!r}: must be NAME=value: invalid argument")
        if equals:
            filled.append(entry)
        elif name in own:
            filled.append(f"{name}={own[name]}")
    return tuple(filled)


def checked(entries: Iterable[str]) -> tuple[str, ...]:
    """Raises errors.InvalidArgument for an entry that no process can be given: it would end at its null byte."""
    found = tuple(entries)
    for entry in found:
        if "\0" in entry:
            raise errors.InvalidArgument(f"environment variable {entry!r}: null byte: invalid argument")
    return found
