"""Which error each mistake gets, on both daemons: a client decides by the code what to do next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.field_mask_pb2 import FieldMask

from moorage_api.messages import containers, content, images, leases, namespaces, snapshots, types
from moorage_sdk import digests

SPEC = Packed(type_url="types.containerd.io/opencontainers/runtime-spec/1/Spec", value=b'{"ociVersion":"1.0.2"}')
BLOB = b"known"
KNOWN, UNKNOWN = digests.of(BLOB), digests.of(b"unknown")
TARGET = types.Descriptor(media_type="application/vnd.oci.image.manifest.v1+json", digest=KNOWN, size=5)
NATIVE = "native"


def container(id: str, **fields: Any) -> containers.Container:
    runtime = containers.Container.Runtime(name="io.containerd.runc.v2")
    return containers.Container(**{"id": id, "runtime": runtime, "spec": SPEC, **fields})


async def prepare(client: Any) -> None:
    """What the cases speak of. Made once; the second time everything exists."""
    ask = client.verdict
    await ask("namespaces", "Create", {"namespace": namespaces.Namespace(name="wire")})
    if await ask("content", "Info", {"digest": KNOWN}) != "OK":
        async with client.stub("content").open("Write", metadata=[("containerd-namespace", "wire")]) as stream:
            for request in (
                content.WriteContentRequest(action=content.WRITE, ref="known", data=BLOB),
                content.WriteContentRequest(action=content.COMMIT, offset=5, expected=KNOWN),
            ):
                await stream.send(request)
                await stream.receive()
    await ask("images", "Create", {"image": images.Image(name="known", target=TARGET)})
    await ask("containers", "Create", {"container": container("known")})
    await ask("leases", "Create", {"id": "known"})
    await ask("snapshots", "Prepare", {"snapshotter": NATIVE, "key": "base"})
    await ask("snapshots", "Commit", {"snapshotter": NATIVE, "name": "parent", "key": "base"})
    await ask("snapshots", "Prepare", {"snapshotter": NATIVE, "key": "child", "parent": "parent"})


@dataclass(frozen=True)
class Case:
    """A mistake and its error. ``namespace`` and ``lease`` are the call's."""

    error: str
    service: str
    method: str
    fields: dict[str, Any] = field(default_factory=dict)
    namespace: str = "wire"
    lease: str = ""
    ours: str = ""
    """Our error where it is another one, which no client can take amiss."""
    newer: str = ""
    """That of containerd 2 where it lost a check; ``differences.toml`` has the reason."""

    def __str__(self) -> str:
        return f"{self.service}-{self.method}-{self.error}"


def mask(*paths: str) -> FieldMask:
    return FieldMask(paths=paths)


LONG = "k" * 4096

CASES = [
    # Namespaces
    Case("AlreadyExists", "namespaces", "Create", {"namespace": namespaces.Namespace(name="wire")}),
    Case("InvalidArgument", "namespaces", "Create", {"namespace": namespaces.Namespace(name="../x")}),
    Case("InvalidArgument", "namespaces", "Create", {"namespace": namespaces.Namespace(name="")}),
    Case("OK", "namespaces", "Get", {"name": "nobody"}),
    Case("NotFound", "namespaces", "Delete", {"name": "nobody"}),
    Case("FailedPrecondition", "namespaces", "Delete", {"name": "wire"}),
    Case(
        "InvalidArgument",
        "namespaces",
        "Update",
        {"namespace": namespaces.Namespace(name="wire"), "update_mask": mask("labels")},
    ),
    # Images
    Case("NotFound", "images", "Get", {"name": "unknown"}),
    Case("FailedPrecondition", "images", "Get", {"name": "known"}, namespace=""),
    Case("InvalidArgument", "images", "Get", {"name": "known"}, namespace="a/b"),
    Case("AlreadyExists", "images", "Create", {"image": images.Image(name="known", target=TARGET)}),
    Case("InvalidArgument", "images", "Create", {"image": images.Image(name="", target=TARGET)}),
    Case("InvalidArgument", "images", "Create", {"image": images.Image(name="x")}),
    Case(
        "InvalidArgument",
        "images",
        "Create",
        {"image": images.Image(name="x", target=TARGET, labels={"k": LONG})},
    ),
    Case("NotFound", "images", "Update", {"image": images.Image(name="unknown", target=TARGET)}),
    Case(
        "InvalidArgument",
        "images",
        "Update",
        {"image": images.Image(name="known", target=TARGET), "update_mask": mask("name")},
    ),
    Case("NotFound", "images", "Delete", {"name": "unknown"}),
    Case("InvalidArgument", "images", "List", {"filters": ["name=="]}),
    Case("OK", "images", "List", {"filters": ["name~=(", "labels.x"]}),
    # Containers
    Case("NotFound", "containers", "Get", {"id": "unknown"}),
    Case("AlreadyExists", "containers", "Create", {"container": container("known")}),
    Case("InvalidArgument", "containers", "Create", {"container": container("../x")}),
    Case("InvalidArgument", "containers", "Create", {"container": container("x" * 77)}),
    Case("InvalidArgument", "containers", "Create", {"container": container("x", runtime=None)}),
    Case("InvalidArgument", "containers", "Create", {"container": container("x", spec=None)}, newer="OK"),
    Case("InvalidArgument", "containers", "Create", {"container": container("x", snapshot_key="k")}),
    Case(
        "InvalidArgument",
        "containers",
        "Update",
        {"container": container("known"), "update_mask": mask("snapshot_key")},
    ),
    Case("InvalidArgument", "containers", "Update", {"container": container("known", snapshotter="other")}),
    Case("NotFound", "containers", "Update", {"container": container("unknown")}),
    Case("NotFound", "containers", "Delete", {"id": "unknown"}),
    Case("InvalidArgument", "containers", "List", {"filters": ["=="]}),
    # Content
    Case("NotFound", "content", "Info", {"digest": UNKNOWN}),
    Case("NotFound", "content", "Info", {"digest": KNOWN}, namespace="other"),
    Case("InvalidArgument", "content", "Info", {"digest": "sha256:../../x"}),
    Case("NotFound", "content", "Read", {"digest": UNKNOWN}),
    Case("OutOfRange", "content", "Read", {"digest": KNOWN, "offset": 6}),
    Case("OK", "content", "Read", {"digest": KNOWN, "offset": 5}),
    Case("NotFound", "content", "Delete", {"digest": UNKNOWN}),
    Case("NotFound", "content", "Update", {"info": content.Info(digest=UNKNOWN, labels={"a": "b"})}),
    Case("InvalidArgument", "content", "Update", {"info": content.Info(digest=KNOWN), "update_mask": mask("size")}),
    Case("NotFound", "content", "Status", {"ref": "unknown"}),
    Case("NotFound", "content", "Abort", {"ref": "unknown"}),
    Case("InvalidArgument", "content", "List", {"filters": ["digest=="]}),
    # Leases
    Case("AlreadyExists", "leases", "Create", {"id": "known"}),
    Case("NotFound", "leases", "Delete", {"id": "unknown"}),
    Case("NotFound", "leases", "ListResources", {"id": "unknown"}),
    Case(
        "Unimplemented",
        "leases",
        "AddResource",
        {"id": "known", "resource": leases.Resource(id="x", type="snapshotter/overlayfs")},
    ),
    Case(
        "InvalidArgument",
        "leases",
        "AddResource",
        {"id": "known", "resource": leases.Resource(id="nonsense", type="content")},
    ),
    Case("OK", "leases", "AddResource", {"id": "known", "resource": leases.Resource(id=UNKNOWN, type="content")}),
    Case(
        "NotFound",
        "leases",
        "AddResource",
        {"id": "unknown", "resource": leases.Resource(id=UNKNOWN, type="content")},
    ),
    Case("NotFound", "snapshots", "Prepare", {"snapshotter": NATIVE, "key": "leased"}, lease="unknown"),
    # Snapshots
    Case("InvalidArgument", "snapshots", "Stat", {"snapshotter": "unknown", "key": "x"}),
    Case("InvalidArgument", "snapshots", "Stat", {"snapshotter": "", "key": "x"}),
    Case("NotFound", "snapshots", "Stat", {"snapshotter": NATIVE, "key": "unknown"}),
    Case("AlreadyExists", "snapshots", "Prepare", {"snapshotter": NATIVE, "key": "child"}),
    Case("NotFound", "snapshots", "Prepare", {"snapshotter": NATIVE, "key": "x", "parent": "unknown"}),
    Case("NotFound", "snapshots", "Mounts", {"snapshotter": NATIVE, "key": "unknown"}),
    Case("NotFound", "snapshots", "Commit", {"snapshotter": NATIVE, "name": "x", "key": "unknown"}),
    Case("AlreadyExists", "snapshots", "Commit", {"snapshotter": NATIVE, "name": "parent", "key": "child"}),
    Case("FailedPrecondition", "snapshots", "Remove", {"snapshotter": NATIVE, "key": "parent"}),
    Case("NotFound", "snapshots", "Remove", {"snapshotter": NATIVE, "key": "unknown"}),
    Case("NotFound", "snapshots", "Usage", {"snapshotter": NATIVE, "key": "unknown"}),
    Case(
        "InvalidArgument",
        "snapshots",
        "Update",
        {"snapshotter": NATIVE, "info": snapshots.Info(name="child"), "update_mask": mask("parent")},
    ),
    Case("Unimplemented", "snapshots", "Cleanup", {"snapshotter": NATIVE}),
    # Tasks
    Case("NotFound", "tasks", "Get", {"container_id": "unknown"}),
    Case("NotFound", "tasks", "Get", {"container_id": "known"}),
    Case("NotFound", "tasks", "Start", {"container_id": "known"}),
    Case("NotFound", "tasks", "Kill", {"container_id": "known", "signal": 9}),
    Case("NotFound", "tasks", "Delete", {"container_id": "known"}),
    Case("NotFound", "tasks", "Wait", {"container_id": "known"}),
    Case("NotFound", "tasks", "Exec", {"container_id": "known", "exec_id": "e"}),
    Case("InvalidArgument", "tasks", "Exec", {"container_id": "known", "exec_id": ""}),
    Case("NotFound", "tasks", "Create", {"container_id": "unknown"}),
    Case("OK", "tasks", "List"),
    Case("FailedPrecondition", "tasks", "List", namespace=""),
    # Events
    Case("FailedPrecondition", "events", "Publish", {"topic": "/a", "event": Packed(type_url="t")}, namespace=""),
    Case("InvalidArgument", "events", "Publish", {"topic": "a", "event": Packed(type_url="t")}),
    Case("InvalidArgument", "events", "Publish", {"topic": "/a b", "event": Packed(type_url="t")}),
    Case(
        "InvalidArgument", "events", "Forward", {"envelope": types.Envelope(topic="/a", namespace="wire")}, newer="OK"
    ),
    # Introspection and health
    Case("InvalidArgument", "introspection", "Plugins", {"filters": ["id=="]}),
    Case("NotFound", "grpc.health.v1.Health", "Check", {"service": "unknown"}),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_mistakes(both: Any, case: Case, request: pytest.FixtureRequest) -> None:
    newer = case.newer and both.containerd and request.getfixturevalue("peer") >= (2, 0)

    async def talk(client: Any) -> None:
        await prepare(client)
        got = await client.verdict(case.service, case.method, case.fields, namespace=case.namespace, lease=case.lease)
        wanted = case.error if both.containerd or not case.ours else case.ours
        if newer:
            assert got in (case.newer, "AlreadyExists")  # it was made by the case before
        else:
            assert got == wanted

    both.run(talk)
