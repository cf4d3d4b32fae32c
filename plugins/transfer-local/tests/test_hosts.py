"""Hosts: which servers are asked for a registry name."""

from __future__ import annotations

from pathlib import Path

import pytest

from moorage_sdk import errors
from moorage_transfer_local import hosts


def write(root: Path, name: str, text: str) -> str:
    (root / name).mkdir(parents=True, exist_ok=True)
    (root / name / "hosts.toml").write_text(text)
    return str(root)


@pytest.mark.parametrize(
    ("host", "url", "skip", "fallback"),
    [
        ("docker.io", "https://registry-1.docker.io/v2", None, False),
        ("a.io", "https://a.io/v2", None, False),
        ("a.io:5000", "https://a.io:5000/v2", None, False),
        ("localhost", "https://localhost/v2", True, False),
        ("localhost:443", "https://localhost:443/v2", True, False),
        ("localhost:80", "http://localhost:80/v2", None, False),
        ("127.0.0.1:5000", "https://127.0.0.1:5000/v2", True, True),
        ("[::1]:5000", "https://[::1]:5000/v2", True, True),
    ],
)
def test_without_configuration(host: str, url: str, skip: bool | None, fallback: bool) -> None:
    [endpoint] = hosts.endpoints(host)
    assert (endpoint.url, endpoint.security.skip_verify, endpoint.fallback) == (url, skip, fallback)


def test_a_default_scheme_is_obeyed() -> None:
    [endpoint] = hosts.endpoints("a.io", default_scheme="http")
    assert (endpoint.url, endpoint.fallback) == ("http://a.io/v2", False)
    with pytest.raises(errors.FailedPrecondition, match='scheme "ftp"'):
        hosts.endpoints("a.io", default_scheme="ftp")


def test_mirrors_come_first_in_their_order_and_the_registry_last(tmp_path: Path) -> None:
    text = '[host."https://b.io"]\n[host."http://a.io:80"]\ncapabilities = ["pull"]\n'
    found = hosts.endpoints("x.io", write(tmp_path, "x.io", text))
    assert [endpoint.url for endpoint in found] == ["https://b.io/v2", "http://a.io:80/v2", "https://x.io/v2"]
    assert [endpoint.capabilities == hosts.CAPABILITIES for endpoint in found] == [True, False, True]


def test_a_named_server_replaces_the_registry(tmp_path: Path) -> None:
    found = hosts.endpoints("docker.io", write(tmp_path, "docker.io", 'server = "https://m.io/prefix"\n'))
    assert [endpoint.url for endpoint in found] == ["https://m.io/prefix/v2"]


@pytest.mark.parametrize("name", ["x.io_5000_", "x.io:5000", "_default"])
def test_the_directory_is_found(tmp_path: Path, name: str) -> None:
    root = write(tmp_path, name, 'server = "https://found.io"\n')
    assert hosts.endpoints("x.io:5000", root)[0].host == "found.io"


def test_the_most_special_directory_wins_and_paths_are_searched_in_order(tmp_path: Path) -> None:
    first = write(tmp_path / "1", "_default", 'server = "https://first.io"\n')
    second = write(tmp_path / "2", "x.io", 'server = "https://second.io"\n')
    assert hosts.endpoints("x.io", f"{second}:{first}")[0].host == "second.io"
    assert hosts.endpoints("x.io", f"{first}:{second}")[0].host == "first.io"
    assert hosts.endpoints("x.io", f"/nowhere:{second}")[0].host == "second.io"


def test_http_with_tls_settings_tries_https_first(tmp_path: Path) -> None:
    root = write(tmp_path, "x.io", '[host."http://m.io:5000"]\nskip_verify = true\n[host."http://n.io:5000"]\n')
    found = hosts.endpoints("x.io", root)
    assert [(endpoint.scheme, endpoint.fallback) for endpoint in found[:2]] == [("https", True), ("http", False)]


def test_a_broken_file_is_never_passed_over(tmp_path: Path) -> None:
    root = write(tmp_path, "x.io", "server = \n")
    with pytest.raises(errors.FailedPrecondition, match=r"hosts\.toml.*line 1"):
        hosts.endpoints("x.io", root)


@pytest.mark.parametrize(
    ("host", "answer"),
    [("localhost:1", True), ("127.9.9.9", True), ("[::1]", True), ("localhost.evil.io", False), ("10.0.0.1", False)],
)
def test_loopback_is_an_address_and_one_name(host: str, answer: bool) -> None:
    assert hosts.is_loopback(host) is answer
