from typing import Any

import pytest

from moorage_metadata_lmdb import rows, tables
from moorage_metadata_lmdb.rows import Ingest, Promotion, Snapshot
from moorage_sdk.containers import Container, Runtime
from moorage_sdk.content import Info
from moorage_sdk.descriptors import Descriptor
from moorage_sdk.events import Payload
from moorage_sdk.images import Image
from moorage_sdk.leases import Lease
from moorage_sdk.namespaces import Namespace
from moorage_sdk.sandboxes import Sandbox

LABELS = {"a": "b", "ü": "☃"}
CASES: list[tuple[tables.Table[Any], tuple[str, ...], Any]] = [
    (rows.NAMESPACES, ("ns",), Namespace("ns", LABELS)),
    (rows.NAMESPACES, ("ns",), Namespace("ns")),
    (rows.IMAGES, ("ns", "i"), Image("i", Descriptor("m", "sha256:1", 5, {"x": "y"}), LABELS, 1, 2)),
    (rows.IMAGES, ("ns", "i"), Image("i", Descriptor("m", "sha256:1", 5))),
    (
        rows.CONTAINERS,
        ("ns", "c"),
        Container(
            "c",
            Runtime("io.containerd.runc.v2", Payload("options", b"\x00\xff")),
            Payload("spec", b"{}"),
            "image",
            "overlayfs",
            "key",
            "pod",
            LABELS,
            {"e": Payload("", b"")},
            1,
            2,
        ),
    ),
    (rows.CONTAINERS, ("ns", "c"), Container("c", Runtime("r"))),
    (
        rows.SANDBOXES,
        ("ns", "p"),
        Sandbox(
            "p", Runtime("r", Payload("o", b"\x00")), Payload("s", b""), "shim", LABELS, {"e": Payload("t", b"")}, 1, 2
        ),
    ),
    (rows.SANDBOXES, ("ns", "p"), Sandbox("p", Runtime(""))),
    (rows.LEASES, ("ns", "l"), Lease("l", 7, LABELS)),
    (rows.HOLDINGS, ("ns", "l", "content", "d"), None),
    (rows.BLOBS, ("ns", "sha256:1"), Info("sha256:1", 0, 1, 2, LABELS)),
    (rows.INGESTS, ("ns", "r"), Ingest("r", "ns/1/r", "sha256:1", 9)),
    (rows.INGESTS, ("ns", "r"), Ingest("r", "ns/1/r")),
    (rows.SNAPSHOTS, ("ns", "o", "k"), Snapshot("k", "ns/1/k", "p", LABELS, 1, 2)),
    (rows.PROMOTIONS, ("ns", "o", "k"), Promotion("k", "n", "ns/2/n", "p", LABELS, "lease")),
]


@pytest.mark.parametrize(("table", "parts", "row"), CASES)
def test_rows_survive_being_stored(table: tables.Table[Any], parts: tuple[str, ...], row: Any) -> None:
    assert table.load(parts, table.dump(row)) == row


def test_every_table_is_covered_and_named_once() -> None:
    assert {table.name for table, _, _ in CASES} == {table.name for table in rows.ALL}
    assert len({table.name for table in rows.ALL}) == len(rows.ALL)


def test_index_entries() -> None:
    ingest = Ingest("r", "ns/1/r", "sha256:1")
    assert [tables.parts(entry) for entry in rows.INGESTS.index(("ns", "r"), ingest)] == [
        ("ingest", "ns/1/r"),
        ("want", "sha256:1", "ns", "r"),
    ]
    snapshot = Snapshot("k", "ns/1/k", "p")
    assert [tables.parts(entry) for entry in rows.SNAPSHOTS.index(("ns", "o", "k"), snapshot)] == [
        ("snapshot", "o", "ns/1/k"),
        ("child", "ns", "o", "p", "k"),
    ]
