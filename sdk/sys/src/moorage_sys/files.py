"""Small files that nobody may see half of."""

from __future__ import annotations

import os
from pathlib import Path


def replace(path: Path, data: bytes, *, flush: bool = False) -> None:
    """Give ``path`` the content ``data``, whole or not at all, mode 0600. Raises OSError.

    A process killed in the middle leaves ``.<name>.new`` beside it, which the next replacement takes. With ``flush``
    the bytes are on disk before they have the name; the name itself is not, which is for ``syncing``.
    """
    draft = path.with_name(f".{path.name}.new")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(fd, "wb") as file:
        file.write(data)
        if flush:
            file.flush()
            os.fsync(fd)
    draft.replace(path)
