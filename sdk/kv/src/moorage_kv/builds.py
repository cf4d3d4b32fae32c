"""Which builds of the lmdb package may be used.

Only the liblmdb that py-lmdb bundles carries the fixes for CVE-2019-16224 to 16228 and for short writes; the fourth
number of ``lmdb.version(subpatch=True)`` is 1 in such a build and 0 in one against the system's library.
"""

from __future__ import annotations

from moorage_sdk import errors

MINIMUM = (2, 3)


def check(package: str, library: tuple[int, ...]) -> None:
    """Refuse an lmdb package whose version is ``package`` and whose library answers ``library``.

    Raises:
        FailedPrecondition: too old, or built against a library without the patches.
    """
    hint = "install the lmdb wheel, version 2.3 or newer"
    numbers = tuple(int(part) for part in package.split(".")[:2] if part.isdigit())
    if numbers < MINIMUM:
        raise errors.FailedPrecondition(f'lmdb "{package}": older than 2.3', hint=hint)
    if len(library) < 4 or library[3] < 1:
        raise errors.FailedPrecondition(f'lmdb "{package}": not built with the bundled, patched liblmdb', hint=hint)
