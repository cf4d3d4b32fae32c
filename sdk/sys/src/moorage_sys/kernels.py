"""Which kernel this is, for what can only be told by its age."""

from __future__ import annotations

import os
import re

_RELEASE = re.compile(r"([0-9]+)\.([0-9]+)")


def version() -> tuple[int, int]:
    """Major and minor number; (0, 0) for a release that does not begin with them.

    Behind them anything may stand: ``6.15.0-rc3``, ``6.11-amd64``.
    """
    found = _RELEASE.match(os.uname().release)
    return (int(found[1]), int(found[2])) if found else (0, 0)
