"""What a list of snapshots must leave out when it is asked for in part (filters of containerd, pkg/filters)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import pytest

from moorage_sdk import errors, labels
from moorage_sdk.snapshots import Info, Snapshotter


class Filtering(Protocol):
    """A snapshotter whose list may be asked for in part."""

    def matching(self, filters: Sequence[str]) -> list[Info]:
        """Those that one of the filters fits."""


SELECTIONS = {
    "label": ([f'labels."{labels.GC_ROOT}"==walk'], "a a-np a-np-wl a-wl p p-wl v v-wl"),
    "active": ([f'kind==active,labels."{labels.GC_ROOT}"==walk'], "a a-np a-np-wl a-wl"),
    "view": ([f'kind==view,labels."{labels.GC_ROOT}"==walk'], "v v-wl"),
    "committed": ([f'kind==committed,labels."{labels.GC_ROOT}"==walk'], "p p-wl"),
    "either name": (["name==p", "name==a-np-wl"], "a-np-wl p"),
    "name and label": (["name==a-wl,labels.l"], "a-wl"),
    "name without the label": (["name==a,labels.l"], ""),
    "parent": (["parent==p"], "a v"),
    "any parent": ([f'parent!="",labels."{labels.GC_ROOT}"==walk'], "a a-wl v v-wl"),
    "any value of a label": (["labels.l"], "a-np-wl a-wl p-wl v-wl"),
    "value of a label": (["labels.l==2"], "a-np-wl a-wl"),
    "part of a name": (["name~=^a-"], "a-np a-np-wl a-wl"),
    "none": ([], "a a-np a-np-wl a-wl p p-wl v v-wl"),
}
"""Filters, and the names that fit."""


class FilterSuite:
    """Provide a fixture ``snapshotter``, and ``filtering``, which lists its snapshots."""

    @pytest.mark.parametrize("selection", SELECTIONS)
    def test_filters(self, snapshotter: Snapshotter, filtering: Filtering, selection: str) -> None:
        root = {labels.GC_ROOT: "walk"}
        snapshotter.prepare("a-np", labels=root)
        for parent, mark in (("p", {}), ("p-wl", {"l": "1"})):
            snapshotter.prepare(f"{parent}-key")
            snapshotter.commit(parent, f"{parent}-key", root | mark)
        snapshotter.prepare("a", "p", root)
        snapshotter.view("v", "p", root)
        snapshotter.prepare("a-wl", "p-wl", root | {"l": "2"})
        snapshotter.view("v-wl", "p-wl", root | {"l": "3"})
        snapshotter.prepare("a-np-wl", labels=root | {"l": "2"})
        filters, wanted = SELECTIONS[selection]
        assert sorted(info.name for info in filtering.matching(filters)) == wanted.split()

    def test_filter_that_is_none_is_refused(self, filtering: Filtering) -> None:
        with pytest.raises(errors.InvalidArgument):
            filtering.matching(["name=="])
