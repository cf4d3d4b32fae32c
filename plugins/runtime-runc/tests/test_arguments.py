from __future__ import annotations

from pathlib import Path

import pytest

from moorage_runtime_runc import arguments
from moorage_sdk import errors


def test_arguments() -> None:
    found = arguments.parse(["--state", "/s", "--socket", "/m", "--address", "unix:///run/d.sock", "--leave"])
    assert (found.state, found.socket, found.leave, found.relay) == (Path("/s"), Path("/m"), True, False)
    assert found.events == Path("/run/d.sock.ttrpc")
    good = ["--state", "/s", "--socket", "/m"]
    assert arguments.parse(good).events is None
    assert (arguments.parse(good).inherit, arguments.parse([*good, "--inherit", "7"]).inherit) == (-1, 7)
    for bad in (
        ["--state", "/s"],
        ["--state"],
        ["--what", "x"],
        ["--state", "/s", "--socket", "@x", "--linger"],
        [*good, "--linger", "x"],
        [*good, "--inherit", "1.5"],
    ):
        with pytest.raises(errors.InvalidArgument):
            arguments.parse(bad)
