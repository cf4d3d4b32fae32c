"""Any as containerd fills it."""

import json
import subprocess
import sys

import pytest
from google.protobuf.any_pb2 import Any

from moorage_api.convert import typeurls
from moorage_api.messages import events, rpc_status, types
from moorage_sdk import errors
from moorage_sdk.events import Payload


def test_the_url_is_the_bare_name() -> None:
    packed = typeurls.pack(events.TaskOOM(container_id="c"))
    assert (packed.type_url, packed.value) == ("containerd.events.TaskOOM", b"\x0a\x01c")


def test_an_any_is_not_packed_again() -> None:
    packed = Any(type_url="t")
    assert typeurls.pack(packed) is packed


@pytest.mark.parametrize("prefix", ["", "type.googleapis.com/", "example.org/a/b/"])
def test_a_prefix_is_ignored_when_reading(prefix: str) -> None:
    packed = Any(type_url=prefix + "containerd.events.TaskOOM", value=b"\x0a\x01c")
    assert typeurls.unpack(packed) == events.TaskOOM(container_id="c")
    assert typeurls.holds(packed, events.TaskOOM)
    assert not typeurls.holds(packed, events.TaskExit)


def test_payloads_are_read_too() -> None:
    assert typeurls.unpack(Payload("google.rpc.Status", b"\x08\x05")) == rpc_status.Status(code=5)


@pytest.mark.parametrize("url", ["", "/", "no.such.Type", typeurls.SPEC, "containerd.services.images.v1.Images"])
def test_an_unknown_type_is_not_found(url: str) -> None:
    with pytest.raises(errors.NotFound, match="type with url"):
        typeurls.unpack(Any(type_url=url))


def test_bytes_of_another_type_are_refused() -> None:
    with pytest.raises(errors.InvalidArgument, match=r"containerd\.types\.Mount"):
        typeurls.unpack(Any(type_url=types.Mount.DESCRIPTOR.full_name, value=b"\x0a\x05x"))


def test_reading_registers_what_it_needs() -> None:
    code = (
        "import json\n"
        "from moorage_sdk.events import Payload\n"
        "from moorage_api.convert import typeurls\n"
        "names = ['google.protobuf.Empty', 'containerd.types.transfer.Progress', 'io.containerd.cgroups.v2.Metrics']\n"
        "print(json.dumps([typeurls.unpack(Payload(name, b'')).DESCRIPTOR.full_name for name in names]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [
        "google.protobuf.Empty",
        "containerd.types.transfer.Progress",
        "io.containerd.cgroups.v2.Metrics",
    ]


def test_json_types_both_ways() -> None:
    packed = typeurls.pack_json(typeurls.SPEC, {"ociVersion": "1.2.0", "hostname": "é"})
    assert packed.type_url == "types.containerd.io/opencontainers/runtime-spec/1/Spec"
    assert packed.value == '{"ociVersion":"1.2.0","hostname":"é"}'.encode()
    assert typeurls.unpack_json(packed) == {"ociVersion": "1.2.0", "hostname": "é"}


@pytest.mark.parametrize("value", [b"", b"[]", b"1", b"{", b'{"a": NaN}', b'{"a": -Infinity}', b"\xff", b"[" * 200_000])
def test_what_is_no_json_object_is_refused(value: bytes) -> None:
    with pytest.raises(errors.InvalidArgument, match="invalid argument"):
        typeurls.unpack_json(Any(type_url=typeurls.SPEC, value=value))


def test_the_json_types_are_those_of_containerd() -> None:
    assert {url.rpartition("/1/")[2] for url in typeurls.JSON_TYPES} == {
        "Spec",
        "Process",
        "LinuxResources",
        "WindowsResources",
        "features/Features",
    }
