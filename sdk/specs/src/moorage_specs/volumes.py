"""What people type after ``-v``: ``source:target[:options]``, as a mount of the OCI runtime specification."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moorage_sdk import errors

_PROPAGATION = frozenset({"private", "rprivate", "shared", "rshared", "slave", "rslave"})
_PASSED_ON = frozenset({"nosuid", "suid", "nodev", "dev", "noexec", "exec"})


@dataclass(frozen=True)
class Volume:
    """A bind mount. ``options`` are mount options beyond ``rbind``."""

    source: str
    target: str
    options: tuple[str, ...] = ()

    def mount(self) -> dict[str, Any]:
        propagation = [] if _PROPAGATION & set(self.options) else ["rprivate"]
        return {
            "destination": self.target,
            "type": "bind",
            "source": self.source,
            "options": ["rbind", *propagation, *self.options],
        }


def parse(text: str) -> Volume:
    """Raises errors.InvalidArgument for malformed text, errors.NotFound for a source that does not exist."""
    source, colon, rest = text.partition(":")
    target, _, options = rest.partition(":")
    if not colon or not source or not target:
        raise errors.InvalidArgument(f'volume "{text}": must be source:target[:options]: invalid argument')
    place = "/" + posixpath.normpath(target).lstrip("/")  # normpath keeps two leading slashes, as POSIX lets it
    if not posixpath.isabs(target) or place == "/":
        raise errors.InvalidArgument(f'volume "{text}": target must be an absolute path, not /: invalid argument')
    if not source.startswith(("/", ".")):
        raise errors.InvalidArgument(
            f'volume "{text}": named volumes are not supported: invalid argument',
            hint="give a directory of the host, such as ./data or /srv/data",
        )
    found = Path(source).absolute()
    if not found.exists():
        raise errors.NotFound(f'volume source "{found}": not found')
    return Volume(str(found), place, _options(options, text))


def _options(text: str, volume: str) -> tuple[str, ...]:
    chosen = []
    for option in filter(None, text.split(",")):
        if option in ("ro", "rw") or option in _PROPAGATION | _PASSED_ON:
            chosen.append(option)
        elif option not in ("z", "Z", "rbind"):  # no relabelling: paths that a user chose keep their labels
            raise errors.InvalidArgument(f'volume "{volume}": option "{option}" unknown: invalid argument')
    return tuple(chosen)
