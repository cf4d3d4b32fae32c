from moorage_sdk.platforms import Platform
from moorage_sdk.transfers import TRANSFER, Credentials, Progress, Pull, Registry, Unpack


def test_a_pull_of_a_reference_alone_wants_all_platforms_and_is_never_cancelled() -> None:
    pull = Pull("docker.io/library/busybox:latest")
    assert (pull.platforms, pull.unpacks, pull.cancelled()) == ((), (), False)
    assert pull.registry == Registry() and pull.registry is not Pull("x").registry


def test_values_say_nothing_that_was_not_given() -> None:
    assert Progress("saved") == Progress("saved", "", (), 0, 0)
    assert Unpack(Platform("linux", "amd64")).snapshotter == ""
    assert Credentials() == Credentials("", "", "")


def test_the_slot_is_containerds() -> None:
    assert (TRANSFER.name, TRANSFER.type) == ("transfer", "io.containerd.transfer.v1")
