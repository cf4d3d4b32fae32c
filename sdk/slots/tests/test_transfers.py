import io

from moorage_sdk.platforms import Platform
from moorage_sdk.transfers import (
    TRANSFER,
    Archiver,
    Credentials,
    Export,
    ExtraName,
    Import,
    Progress,
    Pull,
    Push,
    Registry,
    Store,
    Transfer,
    Unpack,
)


def test_a_pull_of_a_reference_alone_wants_all_platforms_and_is_never_cancelled() -> None:
    pull = Pull("docker.io/library/busybox:latest")
    assert (pull.platforms, pull.unpacks, pull.cancelled()) == ((), (), False)
    assert pull.registry == Registry() and pull.registry is not Pull("x").registry


def test_a_push_takes_an_image_whole_and_is_never_cancelled() -> None:
    push = Push("a.io/b:c")
    assert (push.name, push.platforms, push.registry, push.cancelled()) == ("", (), Registry(), False)


def test_values_say_nothing_that_was_not_given() -> None:
    assert Progress("saved") == Progress("saved", "", (), 0, 0)
    assert Unpack(Platform("linux", "amd64")).snapshotter == ""
    assert Credentials() == Credentials("", "", "")


def test_the_slot_is_containerds() -> None:
    assert (TRANSFER.name, TRANSFER.type) == ("transfer", "io.containerd.transfer.v1")


def test_an_import_takes_everything_and_names_nothing_unless_told() -> None:
    request = Import(io.BytesIO(), Store())
    assert request.store == Store("", {}, (), (), (), False, 0)
    assert (request.media_type, request.force_compress, request.cancelled()) == ("", False, False)
    assert ExtraName("a") == ExtraName("a", False, False, False, False)


def test_an_export_is_of_this_machine_and_readable_by_docker_unless_told() -> None:
    request = Export(("a",), io.BytesIO())
    assert (request.platforms, request.all_platforms, request.cancelled()) == ((), False, False)
    assert not request.skip_compatibility_manifest and not request.skip_non_distributable


def test_a_transfer_need_not_know_archives() -> None:
    class Pulling(Transfer):
        def pull(self, view, pull, report):  # type: ignore[no-untyped-def]
            raise NotImplementedError

        def push(self, view, push, report):  # type: ignore[no-untyped-def]
            raise NotImplementedError

    assert not isinstance(Pulling(), Archiver)
