from pathlib import Path

from moorage_mount_handler_erofs.handlers import ErofsHandler
from moorage_mount_handler_erofs.plugin import plugin
from moorage_sdk.activations import MOUNT_HANDLER
from moorage_sdk.slots import NoConfig
from moorage_testkit.fakes.contexts import Context


def test_its_id_is_the_type_that_it_mounts(tmp_path: Path) -> None:
    assert isinstance(plugin.make(Context(tmp_path), NoConfig()), ErofsHandler)
    assert plugin.slot is MOUNT_HANDLER
    assert plugin.uri == "io.containerd.mount-handler.v1.erofs"
