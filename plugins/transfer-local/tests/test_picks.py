"""Which manifest is unpacked where."""

from __future__ import annotations

import json

import pytest

from moorage_sdk import digests, errors
from moorage_sdk.descriptors import OCI_CONFIG, OCI_MANIFEST, Descriptor
from moorage_sdk.platforms import parse
from moorage_sdk.transfers import Unpack
from moorage_transfer_local import picks
from moorage_transfer_local.manifests import Manifest
from moorage_transfer_local.picks import Found


def found(name: str, platform: str | None) -> Found:
    data = None
    if platform is not None:
        system, architecture = platform.split("/")
        data = json.dumps({"os": system, "architecture": architecture, "rootfs": {"diff_ids": []}}).encode()
    config = Descriptor(OCI_CONFIG, digests.of(b"config " + name.encode()), 1)
    return Found(Descriptor(OCI_MANIFEST, digests.of(name.encode()), 1), Manifest(config, ()), data)


ARM, AMD, CHART = found("arm", "linux/arm64"), found("amd", "linux/amd64"), found("chart", None)


def chosen(items: list[Found], *platforms: str, snapshotter: str = "", strict: bool = False) -> list[tuple[str, str]]:
    unpacks = [Unpack(parse(platform), snapshotter) for platform in platforms]
    names = {ARM.descriptor.digest: "arm", AMD.descriptor.digest: "amd", CHART.descriptor.digest: "chart"}
    picked = picks.choose(items, unpacks, lambda: "usual", strict=strict)
    return [(names[item.descriptor.digest], where) for item, where in picked]


def test_each_platform_gets_its_manifest() -> None:
    assert chosen([CHART, AMD, ARM], "linux/arm64", "linux/amd64") == [("arm", "usual"), ("amd", "usual")]
    assert chosen([AMD, ARM], "linux/arm64", snapshotter="mine") == [("arm", "mine")]


def test_the_same_is_unpacked_once() -> None:
    assert chosen([AMD], "linux/amd64", "linux/amd64") == [("amd", "usual")]


def test_an_only_image_of_the_right_system_is_taken_unless_strict() -> None:
    assert chosen([ARM, CHART], "linux/amd64") == [("arm", "usual")]
    assert chosen([ARM, CHART], "linux/amd64", strict=True) == []
    assert chosen([ARM, CHART], "windows/amd64") == []
    assert chosen([CHART], "linux/amd64") == []


def test_a_configuration_is_looked_into_only_when_it_is_needed() -> None:
    broken = Found(ARM.descriptor, ARM.manifest, b"{}")
    assert picks.choose([broken], [], lambda: "usual", strict=False) == []
    with pytest.raises(errors.InvalidArgument, match="diff_ids"):
        picks.choose([broken], [Unpack(parse("linux/arm64"))], lambda: "usual", strict=False)
