"""Host files: every key, every fault, with its line."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from moorage_sdk import errors
from moorage_transfer_local import hostfiles
from moorage_transfer_local.hostfiles import Entry


def load(directory: Path, text: str | bytes) -> tuple[Entry, ...]:
    (directory / "hosts.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return hostfiles.load(directory)


def test_every_key(tmp_path: Path) -> None:
    for name in ("ca.pem", "c.cert", "c.key", "both.pem"):
        (tmp_path / name).touch()
    [mirror, root] = load(
        tmp_path,
        """
        server = "https://r.io"
        [host."http://m.io:5000/p/"]
        capabilities = ["pull", "Resolve"]
        ca = ["ca.pem"]
        client = [["c.cert", "c.key"], "both.pem"]
        skip_verify = true
        override_path = true
        dial_timeout = "1m2.5s"
        [host."http://m.io:5000/p/".header]
        X-One = "1"
        X-Two = ["a", "b"]
        """,
    )
    assert root == Entry("r.io")
    assert mirror == Entry(
        server="m.io:5000",
        scheme="http",
        path="/p",
        capabilities=frozenset({"pull", "resolve"}),
        roots=(tmp_path / "ca.pem",),
        pairs=((tmp_path / "c.cert", tmp_path / "c.key"), (tmp_path / "both.pem", None)),
        skip_verify=True,
        headers={"X-One": "1", "X-Two": "a, b"},
        dial_timeout=62.5,
    )


def test_no_time_to_dial_is_no_time_of_its_own(tmp_path: Path) -> None:
    [entry] = load(tmp_path, 'server = "r.io"\ndial_timeout = "0s"')
    assert entry.dial_timeout == Entry("r.io").dial_timeout


@pytest.mark.parametrize(
    ("server", "host", "path"),
    [("r.io", "r.io", "/v2"), ("https://r.io/v2", "r.io", "/v2"), ("https://r.io/a/v2/", "r.io", "/a/v2")],
)
def test_the_path_ends_in_v2(tmp_path: Path, server: str, host: str, path: str) -> None:
    [entry] = load(tmp_path, f'server = "{server}"')
    assert (entry.server, entry.path) == (host, path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("server = 1", r"line 1: server: expected a string"),
        ('server = "ftp://x"', r'line 1: server: "ftp://x" is not a URL'),
        ('server = "https://u:p@x"', r"line 1: server"),
        ('server = "https://x:99999"', r"line 1: server"),
        ('server = "https://[::1"', r'line 1: server: "https://\[::1" is not a URL'),
        ('\n[host."https://m.io"]\nca = "none.pem"', r'line 3: host."https://m.io".ca: ".*none.pem": no such file'),
        ('\n[host."https://m.io"]\ncapabilities = ["fly"]', r'line 3: .*: unknown capability "fly"'),
        ('[host."https://m.io"]\nskip_verify = "yes"', r"line 2: .*: expected true or false"),
        ('[host."https://m.io"]\ndial_timeout = "soon"', r"line 2: .*: expected a duration"),
        ('[host."https://m.io"]\ndial_timeout = "-1s"', r"line 2: .*: must not be negative"),
        ('[host."https://m.io"]\ndial_timeout = 3', r"line 2: .*: expected a duration"),
        ('[host."https://m.io"]\nclient = [[1]]', r"line 2: .*: expected paths"),
        ('[host."https://m.io".header]\nX = 1', r"line 2: .*: expected a string or a list"),
        ('[host."https://m.io".header]\nX = "a\\r\\nEvil: 1"', r"line 2: "),
        ('host = "x"', r'"host" must hold tables'),
        ("a = = 1", r"line 1"),
        (b"\xff\xfe", r"utf-8"),
    ],
)
def test_faults_name_file_and_line(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(errors.FailedPrecondition, match=message) as caught:
        load(tmp_path, text)
    assert str(tmp_path / "hosts.toml") in str(caught.value)


def test_an_unknown_key_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        [entry] = load(tmp_path, 'server = "r.io"\nskip_verfy = true')
    assert entry.skip_verify is None
    assert "line 2: skip_verfy: unknown key" in caplog.text


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(errors.FailedPrecondition, match="larger than"):
        load(tmp_path, b"#" * (hostfiles.MAX_SIZE + 1))


def test_a_loop_of_links_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "hosts.toml").symlink_to("hosts.toml")
    with pytest.raises(errors.FailedPrecondition, match="symbolic links"):
        hostfiles.load(tmp_path)


def test_docker_certificates_are_found(tmp_path: Path) -> None:
    for name in ("ca.crt", "one.cert", "one.key", "two.cert", "other.txt"):
        (tmp_path / name).touch()
    [entry] = hostfiles.load(tmp_path)
    assert entry.roots == (tmp_path / "ca.crt",)
    assert entry.pairs == ((tmp_path / "one.cert", tmp_path / "one.key"), (tmp_path / "two.cert", None))
