from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as Packed

from moorage_api.convert import payloads, typeurls
from moorage_api.messages import runc_options, runtime_options, types
from moorage_runtime_runc import options
from moorage_runtime_runc.runtimes import CheckpointFlags, Settings
from moorage_sdk import errors
from moorage_sdk.events import Payload


def test_runc_options() -> None:
    assert options.settings(Packed()) == Settings()
    assert options.settings(Packed(type_url="containerd.runc.v1.Options")) == Settings()
    message = runc_options.Options(binary_name="crun", root="/r", systemd_cgroup=True, io_uid=3, shim_cgroup="/s")
    wanted = Settings(binary="crun", root="/r", systemd_cgroup=True, io_uid=3, shim_cgroup="/s")
    assert options.settings(typeurls.pack(message)) == wanted
    prefixed = Packed(type_url="type.googleapis.com/containerd.runc.v1.Options", value=message.SerializeToString())
    assert options.settings(prefixed) == wanted


def test_who_names_no_binary_gets_the_nodes() -> None:
    for packed in (Packed(), typeurls.pack(runc_options.Options(root="/r")), generic(b"IoUid = 7")):
        assert options.settings(packed, "/bin/crun").binary == "/bin/crun"
    for packed in (typeurls.pack(runc_options.Options(binary_name="runc")), generic(b'BinaryName = "runc"')):
        assert options.settings(packed, "/bin/crun").binary == "runc"


def generic(text: bytes) -> Any:
    return typeurls.pack(runtime_options.Options(config_body=text))


def test_a_toml_body_has_the_keys_of_cri() -> None:
    toml = b'BinaryName = "crun"\nSystemdCgroup = true\nIoUid = 7\nUnheardOf = 1\n'
    assert options.settings(generic(toml)) == Settings(binary="crun", systemd_cgroup=True, io_uid=7)


@pytest.mark.parametrize("toml", [b"=", b"\xff", b'SystemdCgroup = "yes"', b"BinaryName = 1", b"IoUid = true"])
def test_bad_bodies(toml: bytes) -> None:
    with pytest.raises(errors.InvalidArgument):
        options.settings(generic(toml))


def test_other_types_and_bytes() -> None:
    with pytest.raises(errors.InvalidArgument, match="not known to runc"):
        options.settings(typeurls.pack(types.Mount(type="x")))
    with pytest.raises(errors.InvalidArgument):
        options.settings(Packed(type_url="containerd.runc.v1.Options", value=b"\xff"))


def test_checkpoint_options() -> None:
    message = runc_options.CheckpointOptions(exit=True, open_tcp=True, empty_namespaces=["network"], work_path="/w")
    assert options.checkpoint_flags(typeurls.pack(message)) == (
        CheckpointFlags(exit=True, open_tcp=True, empty_namespaces=("network",)),
        "/w",
    )
    assert options.checkpoint_flags(Packed()) == (CheckpointFlags(), "")


@pytest.mark.parametrize(
    ("payload", "binary"),
    [
        (None, ""),
        (Payload(options.RUNC, b""), ""),
        (payloads.of(runc_options.Options(binary_name="crun")), "crun"),
        (payloads.of(runtime_options.Options(config_body=b'BinaryName = "crun"')), "crun"),
        (payloads.of(runtime_options.Options(config_body=b"BinaryName = 3")), ""),
        (payloads.of(runtime_options.Options(config_body=b"=")), ""),
        (payloads.of(types.Mount(type="x")), ""),
        (Payload(options.RUNC, b"\xff"), ""),
        (Payload("who.knows.Options", b"x"), ""),
    ],
)
def test_one_text_of_what_a_client_sent(payload: Payload | None, binary: str) -> None:
    assert options.told(payload, "binary_name", "BinaryName") == binary
