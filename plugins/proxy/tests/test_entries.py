from typing import Any

import pytest

from moorage_proxy.entries import PROXIES, Proxy


def faults(**entry: Any) -> list[str]:
    return [str(fault) for fault in PROXIES.decode({"x": entry}).faults]


def test_all_keys_are_read() -> None:
    entry = {
        "type": "io.containerd.snapshotter.v1",
        "address": "unix:///run/x.sock",
        "platform": "linux/arm64",
        "exports": {"root": "/x"},
        "capabilities": ["rebase"],
        "namespace": "kept",
        "lease": "held",
    }
    decoded = PROXIES.decode({"x": entry})
    assert decoded.value == {
        "x": Proxy(
            "io.containerd.snapshotter.v1",
            "unix:///run/x.sock",
            "linux/arm64",
            {"root": "/x"},
            ("rebase",),
            "kept",
            "held",
        )
    }


def test_an_unknown_type_is_refused_with_those_there_are() -> None:
    assert faults(type="snap", address="/x") == [
        'proxy_plugins.x.type: expected one of "snapshot", "content", "diff", "sandbox", '
        '"io.containerd.snapshotter.v1", "io.containerd.content.v1", "io.containerd.differ.v1", '
        '"io.containerd.sandbox.controller.v1", got "snap"'
    ]


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        ({"type": "diff"}, "proxy_plugins.x.address: required"),
        ({"address": "/x"}, "proxy_plugins.x.type: required"),
        ({"type": "diff", "address": ""}, "proxy_plugins.x: address is empty"),
        (
            {"type": "diff", "address": "/x", "lease": "l"},
            "proxy_plugins.x: a lease is one of a namespace, and none is given",
        ),
        ({"type": "diff", "address": "tcp://h:1"}, 'proxy_plugins.x: address "tcp://h:1" is no unix socket'),
    ],
)
def test_what_cannot_be_reached_is_refused(entry: dict[str, Any], fault: str) -> None:
    assert faults(**entry) == [fault]


def test_a_platform_must_be_one() -> None:
    (fault,) = faults(type="diff", address="/x", platform="a/b/c/d")
    assert fault.startswith("proxy_plugins.x: ")
    assert "a/b/c/d" in fault
