from typing import Any

import pytest

from moorage_containerd import migrations
from moorage_containerd.absences import ABSENT
from moorage_sdk import migrations as sdk


def test_the_module_takes_part_with_steps_and_absences() -> None:
    assert isinstance(migrations, sdk.Migration)
    assert isinstance(migrations, sdk.Absences)
    assert migrations.ABSENT is ABSENT


@pytest.mark.parametrize(
    ("short", "uri"),
    [
        ("cri", "io.containerd.grpc.v1.cri"),
        ("linux", "io.containerd.runtime.v1.linux"),
        ("scheduler", "io.containerd.gc.v1.scheduler"),
        ("bolt", "io.containerd.metadata.v1.bolt"),
        ("overlayfs", "io.containerd.snapshotter.v1.overlayfs"),
        ("windows", "io.containerd.snapshotter.v1.windows"),
        ("diff-service", "io.containerd.service.v1.diff-service"),
        ("stargz", "io.containerd.grpc.v1.stargz"),
        ("io.containerd.gc.v1.scheduler", "io.containerd.gc.v1.scheduler"),
    ],
)
def test_short_names_of_version_1(short: str, uri: str) -> None:
    document: dict[str, Any] = {
        "plugins": {short: {"x": 1}},
        "disabled_plugins": [short, 3],
        "required_plugins": [short],
    }
    table = document["plugins"][short]
    migrations.migrate(document, 1)
    assert document["disabled_plugins"] == [uri, 3]
    assert document["required_plugins"] == [uri]
    if uri != "io.containerd.grpc.v1.cri":
        assert document["plugins"] == {uri: {"x": 1}}
        assert document["plugins"][uri] is table, "so that it keeps its line"


def test_short_names_mean_nothing_later() -> None:
    document: dict[str, Any] = {"plugins": {"cri": {}}, "disabled_plugins": ["cri"]}
    migrations.migrate(document, 2)
    assert document == {"plugins": {"cri": {}}, "disabled_plugins": ["cri"]}


@pytest.mark.parametrize("version", [1, 2, 3])
def test_two_monitors_got_other_names(version: int) -> None:
    document = {
        "plugins": {
            "io.containerd.internal.v1.restart": {"interval": "1s"},
            "io.containerd.monitor.v1.cgroups": {"no_prometheus": True},
        }
    }
    migrations.migrate(document, version)
    assert document["plugins"] == {
        "io.containerd.monitor.container.v1.restart": {"interval": "1s"},
        "io.containerd.monitor.task.v1.cgroups": {"no_prometheus": True},
    }


@pytest.mark.parametrize(
    "document", [{}, {"plugins": 3}, {"plugins": {"io.containerd.grpc.v1.cri": 3}}, {"disabled_plugins": "cri"}]
)
@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_what_is_no_table_is_left_for_others_to_complain_of(document: dict[str, Any], version: int) -> None:
    before = repr(document)
    migrations.migrate(document, version)
    assert repr(document) == before
