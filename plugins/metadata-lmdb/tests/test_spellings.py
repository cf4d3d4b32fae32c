from typing import Any

import pytest

from moorage_metadata_lmdb import nodes, spellings
from moorage_sdk import digests, errors
from moorage_sdk.containers import Container, Runtime
from moorage_sdk.descriptors import OCI_MANIFEST, Descriptor
from moorage_sdk.events import Payload
from moorage_sdk.garbage import Object
from moorage_sdk.images import Image

DIGEST = digests.of(b"x")
HEX = DIGEST.removeprefix("sha256:")


def found(rig: Any, text: str, kind: str = "") -> str:
    with rig.database._ledger.read() as reading:
        return str(spellings.find(reading, Object(kind, "default", text)))


@pytest.fixture
def full(rig: Any) -> Any:
    rig.put(b"x")
    rig.put(b"x", "elsewhere")
    rig.layer("base")
    rig.layer("based")
    rig.view().leases.create("lease with blanks")
    for name in ("docker.io/library/busybox:latest", "web"):
        rig.view().images.create(Image(name, Descriptor(OCI_MANIFEST, DIGEST, 1)))
    rig.view().containers.create(Container("web", Runtime("r"), Payload("s", b"")))
    rig.view().content.writer("layer-1").close()
    return rig


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("content", DIGEST, f"content default {DIGEST}"),
        ("content", HEX, f"content default {DIGEST}"),
        ("", HEX[:8], f"content default {DIGEST}"),
        ("contents", DIGEST[:12], f"content default {DIGEST}"),
        ("snapshot", "memory/base", "snapshot default memory/base"),
        ("Snapshots", "base", "snapshot default memory/base"),
        ("", "memory/based", "snapshot default memory/based"),
        ("image", "busybox", "image default docker.io/library/busybox:latest"),
        ("", "busybox:latest", "image default docker.io/library/busybox:latest"),
        ("image", "docker.io/lib", "image default docker.io/library/busybox:latest"),
        ("container", "web", "container default web"),
        ("image", "web", "image default web"),
        ("lease", "lease", "lease default lease with blanks"),
        ("ingest", "layer", "ingest default layer-1"),
    ],
)
def test_spellings(full: Any, kind: str, text: str, expected: str) -> None:
    assert found(full, text, kind) == expected


def test_what_could_be_several_is_listed(full: Any) -> None:
    with pytest.raises(errors.InvalidArgument, match="ambiguous, it could be image web, container web"):
        found(full, "web")
    with pytest.raises(errors.InvalidArgument, match="memory/base, snapshot memory/based"):
        found(full, "memory/b", "snapshot")
    for number in range(9):
        full.view().leases.create(f"n{number}")
    with pytest.raises(errors.InvalidArgument, match="lease n4 and 4 more"):
        found(full, "n")


def test_what_is_not_there(full: Any) -> None:
    with pytest.raises(errors.NotFound, match=r'^lease "web" in namespace "default": not found$'):
        found(full, "web", "lease")
    with pytest.raises(errors.NotFound, match='object "Busybox"'):
        found(full, "Busybox")


def test_malformed(full: Any) -> None:
    with pytest.raises(errors.InvalidArgument, match='kind "blob": not one of content, snapshot'):
        found(full, DIGEST, "blob")
    with pytest.raises(errors.InvalidArgument, match="without a name"):
        found(full, "")
    assert spellings.kind("") == ""
    assert spellings.kind("leases") == "lease"


def test_what_lies_outside_of_the_store(full: Any) -> None:
    collectibles = [nodes.collectible("default", "mount", "web"), nodes.collectible("other", "mount", "web2")]
    with full.database._ledger.read() as reading:
        for wanted in (Object("mounts", "default", "web"), Object("mount", "default", "w")):
            assert spellings.find(reading, wanted, collectibles, ["mount"]) == collectibles[0]
        with pytest.raises(errors.InvalidArgument, match='kind "stream": not one of content'):
            spellings.find(reading, Object("stream", "default", "web"), collectibles, ["mount"])
