from collections.abc import Mapping
from pathlib import Path

import pytest

from moorage_kv.snapshots import Record
from moorage_sdk import errors
from moorage_sdk.mounts import Mount
from moorage_sdk.snapshots import Info, Kind
from moorage_snapshotter_overlayfs import plans
from moorage_snapshotter_overlayfs.plans import Layout

LAYOUT = Layout(Path("/s"), ("index=off",), maps_ids=True)


def lineage(kind: Kind, *numbers: int, labels: Mapping[str, str] | None = None) -> list[Record]:
    newest = Record(numbers[0], Info(kind, "key", labels=labels or {}))
    return [newest, *(Record(number, Info(Kind.COMMITTED, f"n{number}")) for number in numbers[1:])]


@pytest.mark.parametrize(
    ("kind", "numbers", "wanted"),
    [
        (Kind.ACTIVE, (1,), Mount("bind", "/s/1/fs", ("rw", "rbind"))),
        (Kind.VIEW, (1,), Mount("bind", "/s/1/fs", ("ro", "rbind"))),
        (Kind.VIEW, (2, 1), Mount("bind", "/s/1/fs", ("ro", "rbind"))),
        (Kind.VIEW, (3, 2, 1), Mount("overlay", "overlay", ("lowerdir=/s/2/fs:/s/1/fs", "index=off"))),
        (
            Kind.ACTIVE,
            (3, 2, 1),
            Mount(
                "overlay",
                "overlay",
                ("workdir=/s/3/work", "upperdir=/s/3/fs", "lowerdir=/s/2/fs:/s/1/fs", "index=off"),
            ),
        ),
    ],
)
def test_order_and_spelling_are_containerds(kind: Kind, numbers: tuple[int, ...], wanted: Mount) -> None:
    assert plans.mounts(LAYOUT, lineage(kind, *numbers)) == (wanted,)


def test_mappings_come_first_where_the_kernel_can() -> None:
    labels = {plans.UID_MAPPING: "0:1000:10", plans.GID_MAPPING: "0:2000:10"}
    (mount,) = plans.mounts(LAYOUT, lineage(Kind.ACTIVE, 2, 1, labels=labels))
    assert mount.options[:3] == ("uidmap=0:1000:10", "gidmap=0:2000:10", "workdir=/s/2/work")
    (mount,) = plans.mounts(Layout(Path("/s")), lineage(Kind.ACTIVE, 2, 1, labels=labels))
    assert mount.options[0] == "workdir=/s/2/work"


def test_owner_of_the_root() -> None:
    assert plans.mapped_root({}) is None
    labels = {plans.UID_MAPPING: "1:5:1,0:1000:10", plans.GID_MAPPING: "0:2000:10"}
    assert plans.mapped_root(labels) == (1000, 2000)


@pytest.mark.parametrize("ranges", ["", "x", "1:1000:10"])
def test_mapping_without_root_is_refused(ranges: str) -> None:
    with pytest.raises(errors.InvalidArgument):
        plans.mapped_root({plans.UID_MAPPING: ranges, plans.GID_MAPPING: "0:0:1"})
