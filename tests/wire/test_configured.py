"""What settings of containerd's own file do to the API: the same file for both daemons, the same answers of both."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from moorage_api.messages import content, types
from moorage_sdk import digests, errors
from moorage_sdk.descriptors import OCI_LAYER, OCI_LAYER_GZIP
from moorage_testkit import daemons
from moorage_testkit.archives import Tar
from moorage_testkit.daemons import Daemon

CONTENT = "containerd.services.content.v1.Content"
STAT, WRITE, COMMIT = (content.WriteAction.Value(name) for name in ("STAT", "WRITE", "COMMIT"))
LAYER = Tar().folder("d").file("d/f", b"content" * 10_000).end()

CONFIG = """
[plugins."io.containerd.metadata.v1.bolt"]
content_sharing_policy = "isolated"

[stream_processors."swap"]
accepts = ["application/x-swapped"]
returns = "application/x-zipped"
path = "sh"
args = ["-c", "test \\"$KEY $STREAM_PROCESSOR_MEDIATYPE\\" = 'value application/x-swapped' && tr a-z n-za-m"]
env = ["KEY=value"]

[stream_processors."zip"]
accepts = ["application/x-zipped"]
returns = "application/vnd.oci.image.layer.v1.tar+gzip"
path = "gzip"
args = ["-c"]

[stream_processors."keyed"]
accepts = ["application/x-keyed"]
returns = "application/vnd.oci.image.layer.v1.tar"
path = "sh"
args = ["-c", "grep -q secret <&3 && cat"]

[stream_processors."failing"]
accepts = ["application/x-failing"]
returns = "application/vnd.oci.image.layer.v1.tar"
path = "sh"
args = ["-c", "cat; echo the key does not fit >&2; exit 3"]

[stream_processors."garbage"]
accepts = ["application/x-garbage"]
returns = "application/vnd.oci.image.layer.v1.tar"
path = "sh"
args = ["-c", "tr a-z A-Z | tr '\\\\000' 'x'"]

[stream_processors."missing"]
accepts = ["application/x-missing"]
returns = "application/vnd.oci.image.layer.v1.tar"
path = "moorage-no-such-program"
"""


@pytest.fixture(scope="module", params=["moorage", "containerd"])
def configured(request: pytest.FixtureRequest) -> Iterator[Daemon]:
    """Each daemon with that file, in the version that both know."""
    if request.param == "containerd" and not shutil.which("containerd"):
        pytest.skip("containerd is not installed")
    program = daemons.containerd() if request.param == "containerd" else daemons.moorage("version = 2\n")
    with daemons.directory() as base, Daemon(program.with_config(program.config + CONFIG), base) as daemon:
        yield daemon


@pytest.fixture
def wire(configured: Daemon, request: pytest.FixtureRequest) -> Any:
    kind = type(request.getfixturevalue("moorage"))
    return kind(configured, containerd="containerd" in configured.program.command[0])


async def send(client: Any, data: bytes, namespace: str = "wire") -> str:
    """Put a blob into a namespace, to stay there; its digest."""
    digest = digests.of(data)
    headers = [("containerd-namespace", namespace)]
    async with client.stub(CONTENT).open("Write", metadata=headers, timeout=30) as stream:
        fields = {"ref": digest, "total": len(data), "expected": digest}
        kept = {"containerd.io/gc.root": "now"}
        await stream.send(content.WriteContentRequest(action=COMMIT, data=data, labels=kept, **fields))
        with suppress(errors.AlreadyExists):
            assert (await stream.receive()).digest == digest
    return digest


async def apply(client: Any, data: bytes, media_type: str, target: Path, **more: Any) -> Any:
    layer = types.Descriptor(media_type=media_type, digest=await send(client, data), size=len(data))
    mount = types.Mount(type="bind", source=str(target), options=["rbind", "rw"])
    return (await client.ask("diff", "Apply", {"diff": layer, "mounts": [mount], **more})).applied


@contextmanager
def verdict(wire: Any, words: str) -> Iterator[None]:
    """A processor that fails is an error of no class. containerd notices only where it has ended already."""
    try:
        yield
    except errors.Error as error:
        assert type(error) is errors.Error
        assert wire.containerd or words in str(error)
    else:
        assert wire.containerd, "the failure went unnoticed"


ROT = bytes.maketrans(b"abcdefghijklmnopqrstuvwxyz", b"nopqrstuvwxyzabcdefghijklm")


def test_a_layer_passes_all_processors_that_its_type_asks_for(wire: Any, tmp_path: Path) -> None:
    async def talk(client: Any) -> None:
        applied = await apply(client, LAYER.translate(ROT), "application/x-swapped", tmp_path)
        assert (applied.media_type, applied.digest, applied.size) == (OCI_LAYER, digests.of(LAYER), len(LAYER))
        assert (tmp_path / "d/f").read_bytes() == b"content" * 10_000

    wire.run(talk)


def test_a_processor_gets_its_payload_and_no_others(wire: Any, tmp_path: Path) -> None:
    async def talk(client: Any) -> None:
        key = {"type_url": "example.com/key", "value": b"secret"}
        applied = await apply(client, LAYER, "application/x-keyed", tmp_path, payloads={"keyed": key, "other": key})
        assert applied.digest == digests.of(LAYER)
        with verdict(wire, "exited with 2"):
            await apply(client, LAYER, "application/x-keyed", tmp_path, payloads={"other": key})

    wire.run(talk)


def test_what_a_failing_processor_says_is_the_error(wire: Any, tmp_path: Path) -> None:
    async def talk(client: Any) -> None:
        with verdict(wire, "the key does not fit"):
            await apply(client, LAYER, "application/x-failing", tmp_path)

    wire.run(talk)


@pytest.mark.parametrize("name", ["garbage", "missing"])
def test_what_makes_no_layer_is_an_error_and_the_daemon_goes_on(wire: Any, tmp_path: Path, name: str) -> None:
    async def talk(client: Any) -> None:
        with pytest.raises(errors.Error) as caught:
            await apply(client, LAYER, f"application/x-{name}", tmp_path)
        if name == "missing":
            assert type(caught.value) is errors.Error
            assert "moorage-no-such-program" in str(caught.value)
        applied = await apply(client, gzip.compress(LAYER, mtime=0), OCI_LAYER_GZIP, tmp_path)
        assert applied.digest == digests.of(LAYER)

    wire.run(talk)


def test_processors_leave_no_process(wire: Any, tmp_path: Path) -> None:
    async def talk(client: Any) -> None:
        for name in ("swapped", "failing", "garbage"):
            await client.verdict("diff", "Apply", {"diff": {"media_type": f"application/x-{name}"}})
        before = children(wire.daemon.pid)
        with verdict(wire, "the key does not fit"):
            await apply(client, LAYER, "application/x-failing", tmp_path)
        await apply(client, LAYER.translate(ROT), "application/x-swapped", tmp_path)
        daemons.wait_until(lambda: children(wire.daemon.pid) <= before)

    wire.run(talk)


def children(pid: int) -> set[str]:
    found: set[str] = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        found.update((task / "children").read_text().split())
    return found


def test_isolated_namespaces_send_what_another_has(wire: Any) -> None:
    async def offset(client: Any, namespace: str, digest: str, size: int) -> int:
        headers = [("containerd-namespace", namespace)]
        async with client.stub(CONTENT).open("Write", metadata=headers, timeout=30) as stream:
            await stream.send(content.WriteContentRequest(action=STAT, ref="r", total=size, expected=digest))
            return int((await stream.receive()).offset)

    async def talk(client: Any) -> None:
        data = b"isolated" + os.urandom(8)
        digest = await send(client, data, "one")
        assert await offset(client, "two", digest, len(data)) == 0
        with pytest.raises(errors.NotFound):
            await client.ask("content", "Info", {"digest": digest}, namespace="two")
        await send(client, data, "two")
        assert (await client.ask("content", "Info", {"digest": digest}, namespace="two")).info.size == len(data)

    wire.run(talk)
