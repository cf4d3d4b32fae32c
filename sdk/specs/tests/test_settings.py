import os

import pytest

from moorage_specs import settings


def test_facts_of_this_host() -> None:
    host = settings.this_host()
    assert host.hostname == os.uname().nodename
    assert host.kernel >= (4, 8)
    assert host.architecture


@pytest.mark.parametrize(
    ("release", "version"), [("6.1.0-18-amd64", (6, 1)), ("4.19", (4, 19)), ("5.10-rc1", (5, 10)), ("odd", (0, 0))]
)
def test_kernel_versions(release: str, version: tuple[int, int]) -> None:
    assert settings.kernel_version(release) == version
