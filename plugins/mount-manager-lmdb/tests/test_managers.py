import errno
import os
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from moorage_sdk import errors
from moorage_sdk.activations import Activation, ActiveMount
from moorage_sdk.mounts import Mount
from moorage_sdk.resources import Item
from moorage_sys import mountinfo, mounts

root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
ONE, TWO = Mount("file", "/one"), Mount("file", "/two")
BIND = Mount("bind", "/a", ("rbind",))
REST = Mount("format/overlay", "overlay", ("lowerdir={{ overlay 1 0 }}",))


def test_what_is_handled_is_done_and_the_rest_is_handed_back(house: Any) -> None:
    done = house.manager.activate("default", "web", [ONE, TWO, REST, BIND], labels={"a": "b", "empty": ""})
    points = [f"{house.targets}/1/0", f"{house.targets}/1/1"]
    assert done == Activation(
        "web",
        (ActiveMount(ONE, points[0], 7, {"made": "here"}), ActiveMount(TWO, points[1], 7, {"made": "here"})),
        (Mount("overlay", "overlay", (f"lowerdir={points[1]}:{points[0]}",)), BIND),
        {"a": "b"},
    )
    assert house.files.calls == ["mount /one after 0", "mount /two after 1"]
    assert house.manager.info("default", "web") == done
    assert house.manager.list("default") == [done]
    assert house.manager.list("other") == []


def test_deactivation_undoes_last_first_and_frees_the_name(house: Any) -> None:
    house.manager.activate("default", "web", [ONE, TWO])
    house.files.calls.clear()
    house.manager.deactivate("default", "web")
    assert house.files.calls == ["unmount 1", "unmount 0"]
    assert house.left() == []
    assert house.records.endings() == []
    for call in (house.manager.info, house.manager.deactivate):
        with pytest.raises(errors.NotFound, match='mount "web": not found'):
            call("default", "web")
    assert house.manager.activate("default", "web", [ONE]).active[0].mount_point == f"{house.targets}/2/0"


def test_nothing_to_do_is_said_so(house: Any) -> None:
    for mounts_, options in (
        ([BIND], {}),
        ([], {}),
        ([ONE], {"allowed": ["file"]}),
        ([REST], {"allowed": ["format/*"]}),
    ):
        with pytest.raises(errors.Unimplemented, match=r"not implemented$"):
            house.manager.activate("default", "web", mounts_, **options)
    assert house.manager.list("default") == []
    assert house.manager.concerns([BIND, ONE])
    assert house.manager.concerns([REST])
    assert not house.manager.concerns([BIND])


def test_a_name_is_taken_once_per_namespace(house: Any) -> None:
    house.manager.activate("default", "web", [ONE])
    house.manager.activate("other", "web", [ONE])
    with pytest.raises(errors.AlreadyExists, match='mount "web": already exists'):
        house.manager.activate("default", "web", [TWO])
    assert house.manager.info("default", "web").active[0].mount == ONE


@pytest.mark.parametrize(
    ("namespace", "name", "labels", "kind"),
    [
        ("", "web", {}, errors.FailedPrecondition),
        ("-", "web", {}, errors.InvalidArgument),
        ("default", "", {}, errors.InvalidArgument),
        ("default", "web", {"a": "b" * 4096}, errors.InvalidArgument),
    ],
)
def test_what_is_refused(
    house: Any, namespace: str, name: str, labels: dict[str, str], kind: type[errors.Error]
) -> None:
    with pytest.raises(kind):
        house.manager.activate(namespace, name, [ONE], labels=labels)
    assert house.left() == []


def test_every_call_wants_a_namespace(house: Any) -> None:
    calls: list[Callable[[], object]] = [
        lambda: house.manager.info("", "web"),
        lambda: house.manager.deactivate("", "web"),
        lambda: house.manager.list(""),
    ]
    for call in calls:
        with pytest.raises(errors.FailedPrecondition, match="namespace is required"):
            call()


def test_activations_never_change(house: Any) -> None:
    with pytest.raises(errors.Unimplemented, match=r"not implemented$"):
        house.manager.update("default", Activation("web"), ["labels"])


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left on device"), errors.InvalidArgument("no")])
def test_a_failure_in_the_middle_leaves_nothing(house: Any, failure: BaseException) -> None:
    def second() -> None:
        house.files.failing = failure if house.files.calls else None

    house.files.before = second
    with pytest.raises((errors.ResourceExhausted, errors.InvalidArgument)):
        house.manager.activate("default", "web", [ONE, TWO])
    assert house.files.calls == ["mount /one after 0", "unmount 1", "unmount 0"]
    assert (house.left(), house.records.all(), house.records.endings()) == ([], [], [])


def test_a_template_that_is_wrong_leaves_nothing(house: Any) -> None:
    with pytest.raises(errors.InvalidArgument, match="index out of bounds"):
        house.manager.activate("default", "web", [ONE, Mount("format/bind", "{{ mount 1 }}")])
    assert (house.left(), house.records.all(), house.records.endings()) == ([], [], [])


def test_what_is_in_use_is_tried_again_and_the_name_is_free(house: Any) -> None:
    house.manager.activate("default", "web", [ONE, TWO])
    house.files.busy = OSError(errno.EBUSY, "Device or resource busy")
    with pytest.raises(errors.FailedPrecondition, match="busy"):
        house.manager.deactivate("default", "web")
    assert house.manager.list("default") == []
    house.manager.activate("default", "web", [TWO])
    assert len(house.manager.retry()) == 1
    with pytest.raises(errors.FailedPrecondition, match="busy"):
        house.manager.resources().cleanup()
    house.files.busy = None
    house.manager.resources().cleanup()
    assert house.left() == ["2", "2/0"]
    assert house.manager.info("default", "web").active[0].mount == TWO


def test_the_next_daemon_knows_them(house: Any) -> None:
    done = house.manager.activate("default", "web", [ONE], lease="lease")
    assert house.reopen().info("default", "web") == done
    assert house.left() == ["1", "1/0"]


def test_the_next_daemon_undoes_what_was_not_finished(house: Any) -> None:
    def die() -> None:
        raise SystemExit

    house.files.before = lambda: die() if house.files.calls else None
    house.manager._abandon = lambda record: None  # a process that is killed undoes nothing
    with pytest.raises(SystemExit):
        house.manager.activate("default", "web", [ONE, TWO])
    assert house.left() == ["1", "1/0"]
    assert house.manager.list("default") == [], "what is not whole is not shown"
    with pytest.raises(errors.NotFound):
        house.manager.info("default", "web")
    manager = house.reopen()
    assert (house.left(), house.records.all(), house.records.endings()) == ([], [], [])
    house.files.before = lambda: None
    assert manager.activate("default", "web", [ONE])


def test_the_next_daemon_finishes_what_was_being_undone(house: Any) -> None:
    house.manager.activate("default", "web", [ONE, TWO])
    house.records.end(house.records.get("default", "web"))
    house.reopen()
    assert (house.left(), house.records.endings()) == ([], [])


def test_after_a_reboot_nothing_is_mounted(house: Any) -> None:
    house.manager.activate("default", "web", [ONE])
    manager = house.reopen(rebooted=True)
    assert manager.list("default") == []
    assert (house.left(), house.records.endings()) == ([], [])


def test_a_folder_of_no_record_is_undone(house: Any) -> None:
    (house.targets / "77/0").mkdir(parents=True)
    (house.targets / "no-number").mkdir()
    house.reopen()
    assert house.left() == ["no-number"]


def test_a_folder_of_no_record_that_cannot_be_undone_keeps_its_number(house: Any) -> None:
    (house.targets / "3").mkdir(parents=True)
    (house.targets / "3/0").touch()
    house.files.busy = OSError(errno.EBUSY, "Device or resource busy")
    manager = house.reopen()
    assert house.left() == ["3", "3/0"]
    house.files.busy = None
    assert manager.activate("default", "web", [ONE]).active[0].mount_point == f"{house.targets}/4/0"
    house.reopen()
    assert house.left() == ["4", "4/0"]


def test_what_cannot_be_undone_at_the_start_does_not_stop_it(house: Any, caplog: pytest.LogCaptureFixture) -> None:
    house.manager.activate("default", "web", [ONE])
    house.records.end(house.records.get("default", "web"))
    house.files.busy = OSError(errno.EBUSY, "Device or resource busy")
    assert house.reopen().list("default") == []
    assert "busy" in caplog.text
    assert len(house.records.endings()) == 1


def test_two_of_one_name_at_once(house: Any) -> None:
    """The second waits, and does not take the first for one that a dead daemon left."""
    entered, release = Event(), Event()
    outcomes: list[object] = []

    def wait() -> None:
        entered.set()
        release.wait(10)

    house.files.before = wait

    def activate() -> None:
        try:
            outcomes.append(house.manager.activate("default", "web", [ONE]).name)
        except errors.AlreadyExists as error:
            outcomes.append(type(error))

    threads = [Thread(target=activate) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert entered.wait(10)
    assert house.manager.list("default") == []
    assert list(house.manager.resources().all()) == [], "what is being made is not collected"
    release.set()
    for thread in threads:
        thread.join(10)
    assert outcomes.count("web") == 1
    assert outcomes.count(errors.AlreadyExists) == 3


def items(house: Any) -> list[Item]:
    return list(house.manager.resources().all())


def test_collecting(house: Any) -> None:
    house.manager.activate("default", "web", [ONE], labels={"containerd.io/gc.bref.container": "web"}, lease="l")
    resources = house.manager.resources()
    assert resources.kind == "mount"
    assert items(house) == [Item("default", "web", "1", "l", {"containerd.io/gc.bref.container": "web"})]
    resources.condemn(items(house))
    assert house.manager.list("default") == []
    with pytest.raises(errors.NotFound):
        house.manager.info("default", "web")
    with pytest.raises(errors.NotFound):
        house.manager.deactivate("default", "web")
    (item,) = items(house)
    resources.remove(item)
    assert (house.left(), items(house)) == ([], [])
    with pytest.raises(errors.NotFound):
        resources.remove(item)


def test_one_who_comes_before_the_collector_gets_a_new_one(house: Any) -> None:
    house.manager.activate("default", "web", [ONE])
    resources, (old,) = house.manager.resources(), items(house)
    resources.condemn([old])
    house.manager.activate("default", "web", [TWO])
    with pytest.raises(errors.NotFound):
        resources.remove(old)
    assert house.left() == ["2", "2/0"]
    assert house.manager.info("default", "web").active[0].mount == TWO


def test_a_removal_that_fails_is_tried_again(house: Any) -> None:
    house.manager.activate("default", "web", [ONE])
    resources, (item,) = house.manager.resources(), items(house)
    resources.condemn([item])
    house.files.busy = OSError(errno.EBUSY, "Device or resource busy")
    with pytest.raises(errors.FailedPrecondition):
        resources.remove(item)
    house.files.busy = None
    resources.cleanup()
    assert house.left() == []


def test_what_is_lent_goes_with_the_block_and_not_before(house: Any) -> None:
    with house.manager.lent([BIND]) as plain:
        assert plain == (BIND,)
        assert house.records.all() == []
    with pytest.raises(KeyError):
        with house.manager.lent([ONE, TWO, REST, BIND]) as lent, house.manager.lent([ONE, BIND]):
            assert lent[1:] == (BIND,)
            assert house.left() == ["1", "1/0", "1/1", "2", "2/0"]
            assert items(house) == []
            raise KeyError
    assert (house.left(), house.records.all(), house.records.endings()) == ([], [], [])


def test_what_cannot_be_lent_leaves_nothing(house: Any) -> None:
    house.files.failing = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(errors.ResourceExhausted):
        with house.manager.lent([ONE]):
            raise AssertionError
    assert (house.left(), house.records.all()) == ([], [])


def test_what_a_dead_daemon_lent_is_undone(house: Any, caplog: pytest.LogCaptureFixture) -> None:
    with house.manager.lent([ONE]):
        house.records.close()
        house.open()
        assert len(items(house)) == 1, "nobody of this process has it"
        house.manager.recover(rebooted=False)
        assert house.left() == []
    assert "closed" in caplog.text, "who is late finds the store closed"


@root
def test_plain_mounts_are_performed_when_they_must(house: Any, tmp_path: Path) -> None:
    (tmp_path / "source/sub").mkdir(parents=True)
    plain = Mount("bind", str(tmp_path / "source"), ("rbind", "ro"))
    overlay = Mount("format/overlay", "overlay", ("lowerdir={{ mount 0 }}",))
    done = house.manager.activate("default", "web", [plain, overlay])
    assert done.active[0].mount == plain
    assert done.active[0].mounted_at > 0
    assert (Path(done.active[0].mount_point) / "sub").is_dir()
    assert done.system == (Mount("overlay", "overlay", (f"lowerdir={done.active[0].mount_point}",)),)
    assert house.reopen().info("default", "web") == done
    house.manager.deactivate("default", "web")
    assert mountinfo.beneath(str(tmp_path)) == []
    assert house.left() == []
    assert (tmp_path / "source/sub").is_dir()


@root
def test_for_a_while(house: Any, tmp_path: Path) -> None:
    for name in ("lower", "upper", "work"):
        (tmp_path / name).mkdir()
    (tmp_path / "lower/file").write_text("hello")
    options = (f"lowerdir={tmp_path}/lower", f"upperdir={tmp_path}/upper", f"workdir={tmp_path}/work")
    overlay = Mount("overlay", "overlay", options)
    done = house.manager.activate("default", "look", [overlay], temporary=True)
    assert done.system == (Mount("bind", done.active[0].mount_point, ("rbind",)),)
    assert (Path(done.system[0].source) / "file").read_text() == "hello"
    house.manager.deactivate("default", "look")
    assert mountinfo.beneath(str(tmp_path)) == []


@root
def test_an_activation_that_somebody_took_apart_is_not_believed(house: Any, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    plain = Mount("bind", str(tmp_path / "source"), ("rbind",))
    done = house.manager.activate("default", "web", [plain], temporary=True)
    mounts.unmount(done.active[0].mount_point)
    assert house.reopen().list("default") == []
    assert house.left() == []


@root
def test_a_mount_that_fails_says_which(house: Any) -> None:
    with pytest.raises(errors.Error, match='mount "/absent" of type bind'):
        house.manager.activate("default", "web", [Mount("bind", "/absent", ("rbind",))], temporary=True)
    assert (house.left(), house.records.all()) == ([], [])


@root
def test_a_mount_in_use_stays_until_it_is_not(house: Any, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    done = house.manager.activate("default", "web", [Mount("tmpfs", "tmpfs")], temporary=True)
    held = os.open(done.active[0].mount_point, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with pytest.raises(errors.FailedPrecondition, match="busy"):
            house.manager.deactivate("default", "web")
        assert mountinfo.beneath(str(house.targets))
    finally:
        os.close(held)
    house.manager.resources().cleanup()
    assert mountinfo.beneath(str(house.targets)) == []
    assert house.left() == []


@root
def test_what_nobody_recorded_is_taken_off_at_the_start(house: Any) -> None:
    place = house.targets / "9/0"
    place.mkdir(parents=True)
    mounts.mount(Mount("tmpfs", "tmpfs"), place)
    house.reopen()
    assert mountinfo.beneath(str(house.targets)) == []
    assert house.left() == []
