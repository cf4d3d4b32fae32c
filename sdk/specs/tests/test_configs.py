import dataclasses
from typing import Any

import pytest

from moorage_sdk import errors, platforms
from moorage_sdk.platforms import Platform
from moorage_specs import configs

DIFF = "sha256:" + "d" * 64


def test_what_a_configuration_says() -> None:
    config = configs.of(
        {
            "os": "linux",
            "architecture": "arm64",
            "rootfs": {"diff_ids": [DIFF]},
            "config": {"Cmd": ["sh"], "Env": ["A=1"], "User": "u", "Labels": {"a": "b"}, "Volumes": {"/v": {}}},
        }
    )
    assert (config.command, config.env, config.user) == (("sh",), ("A=1",), "u")
    assert (config.labels, config.volumes, config.platform) == ({"a": "b"}, ("/v",), Platform("linux", "arm64"))
    assert config.chain_id == DIFF


def test_a_configuration_without_a_platform_is_taken_for_ours() -> None:
    assert configs.of({}).platform == platforms.host()
    assert configs.platform({"os": "linux"}) is None


def test_sec_55_it_cannot_be_changed() -> None:
    config = configs.of({"config": {"Env": ["A=1"]}})
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.env = ()  # type: ignore[misc]
    assert isinstance(config.env, tuple)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"config": None, "rootfs": None},
        {"config": [], "rootfs": {"diff_ids": None}},
        {"os": None, "architecture": 3, "config": {"Env": None, "Cmd": "x", "Labels": [1], "User": 5, "Volumes": []}},
    ],
)
def test_sec_43_every_field_may_be_missing_or_wrong(document: Any) -> None:
    config = configs.of(document)
    assert (config.env, config.command, config.user, config.chain_id) == ((), (), "", "")


def test_sec_30_diff_ids_are_digests() -> None:
    with pytest.raises(errors.InvalidArgument):
        configs.of({"rootfs": {"diff_ids": ["sha256:../../x"]}})
