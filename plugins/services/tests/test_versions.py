"""The version, which leads with what clients look for."""

import asyncio
import re
from collections.abc import Callable
from typing import Any

from moorage_services.versions import VersionService


def test_version_is_containerds_with_ours_behind(call: Callable[..., Any]) -> None:
    said = asyncio.run(VersionService("0.1.0").version(None, call()))
    assert said.version == "v2.3.4+moorage.0.1.0"
    # semver.org: clients parse it as one.
    assert re.fullmatch(r"v\d+\.\d+\.\d+\+[0-9A-Za-z.-]+", said.version)
    assert said.revision == "moorage-0.1.0"
