"""What every snapshotter must do. After ``core/snapshots/testsuite`` of containerd v2.3, and what it leaves open."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from moorage_sdk import errors, labels
from moorage_sdk.snapshots import Cleaner, Info, Kind, Snapshotter
from moorage_sys import mounts
from moorage_testkit import trees

Change = Callable[[Path], None]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")


def commit_layer(snapshotter: Snapshotter, name: str, parent: str, change: Change) -> None:
    """Make the committed snapshot ``name``: its parent, changed by ``change``."""
    key = f"making {name}"
    with mounts.temporary(snapshotter.prepare(key, parent)) as place:
        change(place)
    snapshotter.commit(name, key)


def contents(snapshotter: Snapshotter, parent: str) -> dict[str, trees.Node]:
    """What a view of a committed snapshot shows."""
    key = f"looking at {parent}"
    try:
        with mounts.temporary(snapshotter.view(key, parent)) as place:
            return trees.read(place, hidden=("trusted.overlay.", "security.selinux"))
    finally:
        snapshotter.remove(key)


def write(name: str, text: str, mode: int = 0o644) -> Change:
    def change(root: Path) -> None:
        (root / name).write_text(text)
        (root / name).chmod(mode)

    return change


def mkdir(name: str, mode: int = 0o755) -> Change:
    def change(root: Path) -> None:
        (root / name).mkdir()
        (root / name).chmod(mode)

    return change


def remove(name: str) -> Change:
    def change(root: Path) -> None:
        place = root / name
        shutil.rmtree(place) if place.is_dir() and not place.is_symlink() else place.unlink()

    return change


def chown(name: str, owner: int, group: int) -> Change:
    return lambda root: os.chown(root / name, owner, group, follow_symlinks=False)


def chmod(name: str, mode: int) -> Change:
    return lambda root: (root / name).chmod(mode)


def link(name: str, target: str) -> Change:
    return lambda root: (root / name).hardlink_to(root / target)


def symlink(name: str, target: str) -> Change:
    return lambda root: (root / name).symlink_to(target)


def rename(name: str, target: str) -> Change:
    def change(root: Path) -> None:
        (root / name).rename(root / target)

    return change


def all_of(*changes: Change) -> Change:
    def change(root: Path) -> None:
        for one in changes:
            one(root)

    return change


def check_layers(snapshotter: Snapshotter, work: Path, layers: Iterable[Change]) -> None:
    """Each stack of layers must look as a plain directory does after the same changes."""
    flat = work / "flat"
    flat.mkdir()
    flat.chmod(0o755)
    parent = ""
    for number, change in enumerate(layers):
        change(flat)
        name = f"layer {number}"
        commit_layer(snapshotter, name, parent, change)
        assert contents(snapshotter, name) == trees.read(flat), name
        parent = name


LAYERS: dict[str, list[Change]] = {
    "basic": [
        all_of(write("foo", "foo\n", 0o777), mkdir("a"), mkdir("a/b"), mkdir("a/b/c")),
        all_of(write("bar", "bar\n"), remove("a/b"), write("foo", "longer than before\n", 0o600)),
        all_of(mkdir("a/b", 0o700), symlink("a/b/link", "/etc/passwd"), link("a/b/same", "bar")),
    ],
    "file update in a layer (docker 21555)": [
        all_of(mkdir("etc", 0o700), write("etc/hosts", "mydomain 10.0.0.1"), write("etc/profile", "PATH=/usr/bin")),
        all_of(
            write("etc/hosts", "mydomain 10.0.0.2"), chmod("etc/profile", 0o666), mkdir("root", 0o700),
            write("root/.bashrc", "PATH=/usr/sbin:/usr/bin"),
        ),
    ],
    "directory removed and made anew (docker 25244)": [
        all_of(mkdir("lib", 0o700), write("lib/hidden", "")),
        all_of(remove("lib"), mkdir("lib", 0o700), write("lib/not-hidden", "")),
        write("lib/newfile", ""),
    ],
    "owner changed (docker 20240, 24913, 28391)": [
        all_of(mkdir("opt", 0o700), mkdir("opt/a", 0o700), mkdir("opt/a/b", 0o700), write("opt/a/b/file.txt", "hello")),
        all_of(chown("opt", 1, 1), chown("opt/a", 1, 1), chown("opt/a/b", 1, 1), chown("opt/a/b/file.txt", 1, 1)),
    ],
    "directory permissions (docker 27298)": [
        all_of(
            *(mkdir(f"dir{number}", 0o700) for number in range(1, 6)),
            write("dir4/f1", "..."), write("dir5/f1", "..."),
            *(chown(name, 1, 1) for name in ("dir1", "dir2", "dir3", "dir5", "dir5/f1")),
        ),
        all_of(chown("dir2", 0, 0), remove("dir3"), chown("dir4", 1, 1), chown("dir4/f1", 1, 1)),
        all_of(mkdir("dir3", 0o700), chown("dir3", 1, 1), remove("dir5"), mkdir("dir5", 0o700), chown("dir5", 1, 1)),
    ],
    "deleted in a child": [
        all_of(write("a", ""), write("b", ""), mkdir("c"), mkdir("c/d"), write("c/e", "")),
        remove("a"),
        all_of(remove("b"), remove("c")),
        write("a", "again"),
    ],
    "moved from a lower layer": [
        all_of(mkdir("dir1", 0o700), write("dir1/f1", "Hello"), mkdir("dir2", 0o700), write("dir2/f1", "x")),
        all_of(write("dir1/f2", "Hello"), rename("dir1/f1", "dir2/f2")),
    ],
    "files replaced by renaming (docker 25409)": [
        all_of(mkdir("somefiles", 0o700), write("somefiles/f1", "was here first!"), write("somefiles/f2", "nothing")),
        all_of(
            write("somefiles/new", "new content"), rename("somefiles/new", "somefiles/f1"),
            rename("somefiles/f2", "somefiles/f3"),
        ),
    ],
    "kinds change": [
        all_of(write("one", "file"), mkdir("two"), write("two/inner", ""), symlink("three", "one")),
        all_of(remove("one"), mkdir("one"), remove("two"), symlink("two", "one"), remove("three"), write("three", "f")),
        all_of(remove("one"), remove("two"), write("two", "again")),
    ],
    "set-id bits and times survive": [
        all_of(write("tool", "#!"), chown("tool", 5, 6), chmod("tool", 0o6755), mkdir("tmp"), chmod("tmp", 0o1777)),
        write("other", ""),
    ],
}  # fmt: skip


class SnapshotSuite:
    """Provide a fixture ``snapshotter``. ``renames_directories``: renaming a directory of a lower layer works;
    ``rebases``: ``commit`` takes a parent for a snapshot that has none.
    """

    renames_directories = True
    rebases = False

    @pytest.fixture
    def snapshotter(self) -> Snapshotter:
        raise NotImplementedError("the deriving class makes the snapshotter")

    @needs_root
    @pytest.mark.parametrize("layers", LAYERS)
    def test_stack_looks_as_a_plain_directory(self, snapshotter: Snapshotter, tmp_path: Path, layers: str) -> None:
        check_layers(snapshotter, tmp_path, LAYERS[layers])

    @needs_root
    def test_directory_of_a_lower_layer_can_be_renamed(self, snapshotter: Snapshotter, tmp_path: Path) -> None:
        layers = [all_of(mkdir("dir1", 0o700), write("dir1/f", "x")), rename("dir1", "dir2")]
        if self.renames_directories:
            check_layers(snapshotter, tmp_path, layers)
            return
        with pytest.raises(OSError) as caught:
            check_layers(snapshotter, tmp_path, layers)
        assert caught.value.errno == errno.EXDEV

    @needs_root
    def test_many_layers(self, snapshotter: Snapshotter, tmp_path: Path) -> None:
        flat = tmp_path / "flat"
        flat.mkdir()
        flat.chmod(0o755)
        parent = ""
        for number in range(128):
            changes = [write(f"file{number}", str(number)), write("changing", str(number))]
            if number % 3 == 2:
                changes.append(remove(f"file{number - 1}"))
            all_of(*changes)(flat)
            commit_layer(snapshotter, f"layer {number}", parent, all_of(*changes))
            parent = f"layer {number}"
        assert contents(snapshotter, parent) == trees.read(flat)

    @needs_root
    def test_root_of_a_new_snapshot_is_open_to_all(self, snapshotter: Snapshotter) -> None:
        with mounts.temporary(snapshotter.prepare("key")) as place:
            assert place.stat().st_mode & 0o7777 == 0o755
            assert list(place.iterdir()) == []

    @needs_root
    def test_root_keeps_its_owner_and_mode_in_children(self, snapshotter: Snapshotter, tmp_path: Path) -> None:
        check_layers(snapshotter, tmp_path, [all_of(chmod(".", 0o711), chown(".", 7, 8)), write("file", "")])

    @needs_root
    @pytest.mark.parametrize("parents", [0, 1, 2])
    def test_view_is_read_only(self, snapshotter: Snapshotter, parents: int) -> None:
        parent = ""
        for number in range(parents):
            commit_layer(snapshotter, f"layer {number}", parent, write(f"file{number}", ""))
            parent = f"layer {number}"
        with mounts.temporary(snapshotter.view("view", parent)) as place:
            assert len(list(place.iterdir())) == parents
            with pytest.raises(OSError) as caught:
                (place / "file").touch()
            assert caught.value.errno == errno.EROFS

    @needs_root
    def test_writing_to_a_child_leaves_the_parent_alone(self, snapshotter: Snapshotter) -> None:
        commit_layer(snapshotter, "base", "", all_of(write("file", "old"), mkdir("dir"), write("dir/file", "old")))
        before = contents(snapshotter, "base")
        with mounts.temporary(snapshotter.prepare("child", "base")) as place:
            (place / "file").write_text("new")
            (place / "dir/file").unlink()
        assert contents(snapshotter, "base") == before

    @needs_root
    def test_mounts_can_be_asked_for_again(self, snapshotter: Snapshotter) -> None:
        made = snapshotter.prepare("key")
        with mounts.temporary(made) as place:
            (place / "file").touch()
        assert snapshotter.mounts("key") == made
        with mounts.temporary(snapshotter.mounts("key")) as place:
            assert (place / "file").exists()

    @needs_root
    def test_usage_counts_what_the_snapshot_adds(self, snapshotter: Snapshotter) -> None:
        with mounts.temporary(snapshotter.prepare("key")) as place:
            empty = snapshotter.usage("key")
            (place / "data").write_bytes(os.urandom(1 << 20))
            os.sync()
        usage = snapshotter.usage("key")
        assert (1 << 20) <= usage.size - empty.size <= (1 << 20) + (64 << 10)
        assert usage.inodes - empty.inodes == 1
        snapshotter.commit("name", "key")
        assert snapshotter.usage("name") == usage

    @needs_root
    def test_rebase(self, snapshotter: Snapshotter) -> None:
        commit_layer(snapshotter, "base", "", write("below", ""))
        with mounts.temporary(snapshotter.prepare("free")) as place:
            (place / "above").touch()
        if not self.rebases:
            with pytest.raises(errors.Unimplemented):
                snapshotter.commit("top", "free", parent="base")
            assert snapshotter.stat("free").kind is Kind.ACTIVE
            return
        snapshotter.commit("top", "free", parent="base")
        assert snapshotter.stat("top").parent == "base"
        assert sorted(contents(snapshotter, "top")) == [".", "above", "below"]

    def test_stat(self, snapshotter: Snapshotter) -> None:
        snapshotter.prepare("key", labels={"containerd.io/snapshot/a": "1"})
        active = snapshotter.stat("key")
        assert (active.kind, active.name, active.parent) == (Kind.ACTIVE, "key", "")
        assert dict(active.labels).items() >= {"containerd.io/snapshot/a": "1"}.items()
        snapshotter.commit("name", "key", {"containerd.io/snapshot/b": "2"})
        committed = snapshotter.stat("name")
        assert (committed.kind, committed.name, committed.parent) == (Kind.COMMITTED, "name", "")
        assert "containerd.io/snapshot/a" not in committed.labels
        assert committed.labels["containerd.io/snapshot/b"] == "2"
        assert 0 < active.created_at <= committed.created_at
        with pytest.raises(errors.NotFound):
            snapshotter.stat("key")
        snapshotter.view("view", "name")
        assert (snapshotter.stat("view").kind, snapshotter.stat("view").parent) == (Kind.VIEW, "name")

    def test_parents_chain(self, snapshotter: Snapshotter) -> None:
        parent = ""
        for name in ("a", "b", "c"):
            snapshotter.prepare(f"{name}-key", parent)
            snapshotter.commit(name, f"{name}-key")
            assert snapshotter.stat(name).parent == parent
            parent = name

    @pytest.mark.parametrize("first", ["prepare", "view"])
    @pytest.mark.parametrize("second", ["prepare", "view"])
    def test_key_is_taken_once(self, snapshotter: Snapshotter, first: str, second: str) -> None:
        snapshotter.prepare("base-key")
        snapshotter.commit("base", "base-key")
        getattr(snapshotter, first)("key", "base")
        with pytest.raises(errors.AlreadyExists):
            getattr(snapshotter, second)("key", "base")
        with pytest.raises(errors.AlreadyExists):
            getattr(snapshotter, second)("base", "base")

    def test_parent_must_be_committed(self, snapshotter: Snapshotter) -> None:
        snapshotter.prepare("active")
        for make in (snapshotter.prepare, snapshotter.view):
            with pytest.raises(errors.InvalidArgument):
                make("key", "active")
            with pytest.raises(errors.NotFound):
                make("key", "nobody")
        assert [info.name for info in snapshotter.walk()] == ["active"]

    def test_commit_refuses(self, snapshotter: Snapshotter) -> None:
        snapshotter.prepare("base-key")
        snapshotter.commit("base", "base-key")
        snapshotter.view("view", "base")
        snapshotter.prepare("active")
        for key in ("view", "base"):
            with pytest.raises(errors.FailedPrecondition):
                snapshotter.commit("new", key)
        with pytest.raises(errors.NotFound):
            snapshotter.commit("new", "nobody")
        for name in ("base", "view"):
            with pytest.raises(errors.AlreadyExists):
                snapshotter.commit(name, "active")
        assert snapshotter.stat("active").kind is Kind.ACTIVE

    def test_mounts_are_for_active_ones_and_views(self, snapshotter: Snapshotter) -> None:
        snapshotter.prepare("key")
        snapshotter.commit("name", "key")
        with pytest.raises(errors.FailedPrecondition):
            snapshotter.mounts("name")
        with pytest.raises(errors.NotFound):
            snapshotter.mounts("key")

    def test_unknown_keys_are_not_found(self, snapshotter: Snapshotter) -> None:
        for call in (snapshotter.stat, snapshotter.usage, snapshotter.mounts, snapshotter.remove):
            with pytest.raises(errors.NotFound):
                call("nobody")
        with pytest.raises(errors.NotFound):
            snapshotter.update(Info(Kind.ACTIVE, "nobody"))

    def test_update_changes_labels_only(self, snapshotter: Snapshotter) -> None:
        snapshotter.prepare("key", labels={labels.SNAPSHOT_PREFIX + "a": "1"})
        before = snapshotter.stat("key")
        wanted = {labels.SNAPSHOT_PREFIX + "b": "2"}
        changed = snapshotter.update(Info(Kind.COMMITTED, "key", parent="x", labels=wanted))
        assert (changed.kind, changed.parent, changed.created_at) == (Kind.ACTIVE, "", before.created_at)
        assert changed.updated_at >= before.updated_at
        assert labels.SNAPSHOT_PREFIX + "a" not in changed.labels
        wanted = {labels.SNAPSHOT_PREFIX + "c": "3"}
        field = f"labels.{labels.SNAPSHOT_PREFIX}c"
        snapshotter.update(Info(Kind.ACTIVE, "key", labels=wanted), [field])
        found = snapshotter.stat("key").labels
        assert found[labels.SNAPSHOT_PREFIX + "b"] == "2"
        assert found[labels.SNAPSHOT_PREFIX + "c"] == "3"
        snapshotter.update(Info(Kind.ACTIVE, "key"), [field])
        assert labels.SNAPSHOT_PREFIX + "c" not in snapshotter.stat("key").labels
        with pytest.raises(errors.InvalidArgument):
            snapshotter.update(Info(Kind.ACTIVE, "key", parent="x"), ["parent"])

    def test_removed_key_is_free_again(self, snapshotter: Snapshotter) -> None:
        for make in (snapshotter.prepare, snapshotter.view, snapshotter.prepare):
            make("key")
            snapshotter.remove("key")
        for _ in range(2):
            snapshotter.prepare("key")
            snapshotter.commit("name", "key")
            snapshotter.remove("name")
        assert list(snapshotter.walk()) == []

    def test_remove_goes_from_the_top(self, snapshotter: Snapshotter) -> None:
        parent = ""
        for name in ("a", "b"):
            snapshotter.prepare(f"{name}-key", parent)
            snapshotter.commit(name, f"{name}-key")
            parent = name
        snapshotter.view("view", "b")
        for name in ("a", "b"):
            with pytest.raises(errors.FailedPrecondition):
                snapshotter.remove(name)
        for name in ("view", "b", "a"):
            snapshotter.remove(name)
        assert list(snapshotter.walk()) == []

    def test_walk_is_ordered_and_other_calls_are_allowed_meanwhile(self, snapshotter: Snapshotter) -> None:
        for name in ("c", "a", "b"):
            snapshotter.prepare(f"{name}-key")
            snapshotter.commit(name, f"{name}-key")
        walked = []
        for info in snapshotter.walk():
            assert snapshotter.stat(info.name) == info
            snapshotter.prepare(f"on {info.name}", info.name)
            snapshotter.remove(f"on {info.name}")
            walked.append(info.name)
        assert walked == ["a", "b", "c"]

    def test_close_twice(self, snapshotter: Snapshotter) -> None:
        snapshotter.close()
        snapshotter.close()

    def test_threads(self, snapshotter: Snapshotter) -> None:
        snapshotter.prepare("base-key")
        snapshotter.commit("base", "base-key")
        failed: list[BaseException] = []

        def live(number: int) -> None:
            try:
                for round in range(3):
                    key = f"{number}/{round}"
                    snapshotter.prepare(key, "base")
                    snapshotter.commit(f"{key} done", key)
                    if isinstance(snapshotter, Cleaner):
                        snapshotter.cleanup()
                    snapshotter.view(f"{key} view", f"{key} done")
                    snapshotter.remove(f"{key} view")
                    snapshotter.remove(f"{key} done")
            except BaseException as error:  # noqa: BLE001  # told by the main thread
                failed.append(error)

        threads = [threading.Thread(target=live, args=(number,)) for number in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert failed == []
        assert [info.name for info in snapshotter.walk()] == ["base"]

    def test_one_of_many_wins_a_key(self, snapshotter: Snapshotter) -> None:
        won, lost = [], []

        def race() -> None:
            try:
                won.append(snapshotter.prepare("key"))
            except errors.AlreadyExists:
                lost.append(True)

        threads = [threading.Thread(target=race) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert (len(won), len(lost)) == (1, 7)
        assert snapshotter.mounts("key") == won[0]
