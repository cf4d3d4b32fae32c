from __future__ import annotations

import pytest

from moorage_runtime_runc import uris
from moorage_runtime_runc.uris import Uri
from moorage_sdk import errors


def test_uris_and_plain_paths() -> None:
    assert uris.parse("/run/fifo/a%20b") is None
    assert uris.parse("") is None
    assert uris.parse("file:///var/log/a%20b") == Uri("file", "/var/log/a b")
    assert uris.parse("binary-v2:///bin/x?a=1&b=x+y%2Fz&flag&empty=") == Uri(
        "binary-v2", "/bin/x", (("a", "1"), ("b", "x y/z"), ("flag", ""), ("empty", ""))
    )
    assert uris.parse("/odd://path") is None


def test_hosts_are_refused() -> None:
    with pytest.raises(errors.InvalidArgument):
        uris.parse("file://host/path")


def test_escapes_may_be_any_bytes() -> None:
    assert uris.unescape("%C3%A4") == "ä"
    assert uris.unescape("%ff").encode("utf-8", "surrogateescape") == b"\xff"
    assert uris.unescape("100%") == "100%"
