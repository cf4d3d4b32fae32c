from pathlib import Path

from moorage_testkit.fakes.snapshotters import DirectorySnapshotter


def test_tests_may_write_to_the_folders(tmp_path: Path) -> None:
    snapshotter = DirectorySnapshotter(tmp_path)
    snapshotter.prepare("key")
    (snapshotter.folders["key"] / "file").touch()
    snapshotter.commit("name", "key")
    assert (snapshotter.folders["name"] / "file").exists()
