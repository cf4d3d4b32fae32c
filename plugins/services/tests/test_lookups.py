"""What filters see."""

from collections.abc import Sequence

import pytest

from moorage_sdk import content, snapshots
from moorage_sdk.containers import Container, Runtime
from moorage_sdk.descriptors import Descriptor
from moorage_sdk.images import Image
from moorage_sdk.leases import Lease
from moorage_sdk.sandboxes import Sandbox
from moorage_services import lookups
from moorage_services.lookups import ABSENT, Lookup

IMAGE = lookups.image(Image("n", Descriptor("mt", "sha256:1", 1, {"a": "b"}), {"x.y": "z"}))
CONTAINER = lookups.container(Container("c", Runtime("r"), labels={"k": "v"}))
SANDBOX = lookups.sandbox(Sandbox("p", Runtime("r"), labels={"k": "v"}))
INFO = lookups.info(content.Info("sha256:1", 5, labels={"k": "v"}))
STATUS = lookups.status(content.Status("layer-1"))
EMPTY_STATUS = lookups.status(content.Status(""))
LEASE = lookups.lease(Lease("l", labels={"k": "v"}))
SNAPSHOT = lookups.snapshot(snapshots.Info(snapshots.Kind.COMMITTED, "s", labels={"k": "v"}))
UNKNOWN = lookups.snapshot(snapshots.Info(snapshots.Kind.UNKNOWN, "s"))
PLUGIN = lookups.plugin("t", "i")
TASK = lookups.task("ns", "id")


@pytest.mark.parametrize(
    ("lookup", "path", "found"),
    [
        (SANDBOX, ["id"], ("p", True)),
        (SANDBOX, ["labels", "k"], ("v", True)),
        (SANDBOX, ["runtime", "name"], ABSENT),
        (IMAGE, ["name"], ("n", True)),
        (IMAGE, ["name", "ignored"], ("n", True)),
        (IMAGE, ["target"], ABSENT),
        (IMAGE, ["target", "digest"], ("sha256:1", True)),
        (IMAGE, ["target", "mediatype"], ("mt", True)),
        (IMAGE, ["target", "size"], ABSENT),
        (IMAGE, ["annotations", "a"], ("b", True)),
        (IMAGE, ["labels", "x", "y"], ("z", True)),
        (IMAGE, ["labels", "x.y"], ("z", True)),
        (IMAGE, ["labels", "other"], ABSENT),
        (IMAGE, [], ABSENT),
        (CONTAINER, ["id"], ("c", True)),
        (CONTAINER, ["image"], ABSENT),
        (CONTAINER, ["runtime"], ABSENT),
        (CONTAINER, ["runtime", "name"], ("r", True)),
        (CONTAINER, ["runtime", "options"], ABSENT),
        (CONTAINER, ["labels", "k"], ("v", True)),
        (INFO, ["digest"], ("sha256:1", True)),
        (INFO, ["size"], ABSENT),
        (STATUS, ["ref"], ("layer-1", True)),
        (EMPTY_STATUS, ["ref"], ("", True)),
        (LEASE, ["id"], ("l", True)),
        (SNAPSHOT, ["kind"], ("committed", True)),
        (SNAPSHOT, ["parent"], ("", True)),
        (UNKNOWN, ["kind"], ABSENT),
        (PLUGIN, ["type"], ("t", True)),
        (PLUGIN, ["capabilities"], ABSENT),
        (TASK, ["namespace"], ("ns", True)),
        (TASK, ["runtime"], ABSENT),
    ],
)
def test_fields(lookup: Lookup, path: Sequence[str], found: tuple[str, bool]) -> None:
    assert lookup(path) == found
