"""Both directions of the shim contract, in all three dialects."""

import json
import logging

import pytest
from google.protobuf.any_pb2 import Any
from hypothesis import given
from hypothesis import strategies as st

from moorage_api.messages import bootstrap, shim_v3
from moorage_sdk import errors
from moorage_sdk.events import Payload
from moorage_sdk.runtimes import Endpoint
from moorage_sdk.tasks import Bundle
from moorage_tasks_shim import bootstraps

DAEMON = bootstraps.Daemon("/run/g.sock", "/run/t.sock", "/usr/bin/mooraged", "0.1.0", "/run/s")
BUNDLE = Bundle("/state/ns/web", "ns", "web")
OPTIONS = Payload("containerd.runc.v1.Options", b"\x08\x01")


@pytest.mark.parametrize(
    ("output", "endpoint"),
    [
        (b"unix:///run/s/x", Endpoint("/run/s/x", 2)),
        (b"  unix:///run/s/x\n", Endpoint("/run/s/x", 2)),
        (b"/run/s/x", Endpoint("/run/s/x", 2)),
        (json.dumps({"version": 3, "address": "unix:///a", "protocol": "ttrpc"}).encode(), Endpoint("/a", 3)),
        (json.dumps({"version": 2, "address": "unix:///a"}).encode() + b"\n", Endpoint("/a", 2)),
        (
            json.dumps({"version": 3, "address": "unix:///a", "protocol": "GRPC"}).encode(),
            Endpoint("/a", 3, protocol="grpc"),
        ),
        (
            bootstrap.BootstrapResult(version=3, address="unix:///b", protocol="ttrpc").SerializeToString(),
            Endpoint("/b", 3),
        ),
    ],
)
def test_answers(output: bytes, endpoint: Endpoint) -> None:
    assert bootstraps.answer(output) == endpoint


NONSENSE = [b"", b"panic: no\nmore", b"{}", b'{"version": 1}', b"null", b"\xff\xfe"]
ELSEWHERE = [b"@abstract", b"unix://@abstract", b"unix://run/x", b"vsock://3:1", b"unix://\0abstract"]


@pytest.mark.parametrize("output", NONSENSE + ELSEWHERE)
def test_what_is_no_answer_is_refused(output: bytes) -> None:
    with pytest.raises(errors.InvalidArgument):
        bootstraps.answer(output)


@pytest.mark.parametrize(
    "answer",
    [
        {"version": 4, "address": "unix:///a", "protocol": "ttrpc"},
        {"version": 3, "address": "unix:///a", "protocol": "varlink"},
        {"version": 2, "address": "unix:///a", "protocol": "grpc"},
    ],
)
def test_newer_versions_and_other_protocols_are_not_implemented(answer: dict[str, object]) -> None:
    with pytest.raises(errors.Unimplemented):
        bootstraps.answer(json.dumps(answer).encode())


@given(st.binary(max_size=64))
def test_no_output_whatsoever_raises_anything_else(output: bytes) -> None:
    try:
        endpoint = bootstraps.answer(output)
    except (errors.InvalidArgument, errors.Unimplemented):
        return
    assert endpoint.path and endpoint.version in bootstraps.VERSIONS


def test_new_shims_are_told_by_protobuf() -> None:
    told = bootstrap.BootstrapParams.FromString(bootstraps.parameters(BUNDLE, DAEMON, OPTIONS))
    assert (told.instance_id, told.namespace, told.socket_dir) == ("web", "ns", "/run/s")
    assert (told.containerd_grpc_address, told.containerd_ttrpc_address) == ("/run/g.sock", "/run/t.sock")
    assert told.extensions[0].value == Any(type_url=OPTIONS.type_url, value=OPTIONS.value)


def test_old_shims_are_told_their_options_only() -> None:
    assert Any.FromString(bootstraps.legacy_parameters(OPTIONS)).type_url == OPTIONS.type_url
    assert bootstraps.legacy_parameters(None) == b""


@pytest.mark.parametrize(
    ("name", "output", "wanted"),
    [
        ("containerd-shim-runc-v2", "containerd-shim-runc-v2:\n  Version:  v2.3.4\n  Revision: x", True),
        ("containerd-shim-runc-v2", "containerd-shim-runc-v2:\n  Version:  2.10.0", True),
        ("containerd-shim-runc-v2", "containerd-shim-runc-v2:\n  Version:  1.6.20~ds1", False),
        ("containerd-shim-runc-v2", "no idea", False),
        ("containerd-shim-kata-v2", "Kata Containers: Version: 3.2.0", False),
    ],
)
def test_who_wants_protobuf(name: str, output: str, wanted: bool) -> None:
    assert bootstraps.wants_protobuf(name, output) is wanted


@pytest.mark.parametrize(
    ("level", "told"), [(5, -4), (logging.DEBUG, -4), (logging.INFO, 0), (logging.WARNING, 4), (logging.CRITICAL, 8)]
)
def test_shims_log_as_much_as_the_daemon(level: int, told: int) -> None:
    assert bootstrap.BootstrapParams.FromString(bootstraps.parameters(BUNDLE, DAEMON, None, level)).log_level == told


def test_deletion() -> None:
    said = shim_v3.DeleteResponse(pid=7, exit_status=137)
    assert bootstraps.deletion(said.SerializeToString()) == said
    with pytest.raises(errors.InvalidArgument):
        bootstraps.deletion(b"panic: what")
