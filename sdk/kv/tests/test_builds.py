import lmdb
import pytest

from moorage_kv import builds
from moorage_sdk import errors


def test_the_installed_build_is_fit() -> None:
    builds.check(lmdb.__version__, lmdb.version(subpatch=True))


@pytest.mark.parametrize(
    ("package", "library", "why"),
    [
        ("1.4.1", (0, 9, 31, 1), "older than 2.3"),
        ("2.2.9", (0, 9, 33, 1), "older than 2.3"),
        ("3.0.0", (0, 9, 31, 0), "bundled"),
        ("3.0.0", (0, 9, 31), "bundled"),
    ],
)
def test_an_unfit_build_is_refused(package: str, library: tuple[int, ...], why: str) -> None:
    with pytest.raises(errors.FailedPrecondition, match=why):
        builds.check(package, library)
