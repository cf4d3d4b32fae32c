from pathlib import Path

from moorage_mount_manager_lmdb import boots


def test_another_boot(tmp_path: Path) -> None:
    source, note = tmp_path / "boot_id", tmp_path / "boot"
    source.write_text("one\n")
    assert not boots.changed(note, source)
    boots.remember(note, source)
    assert not boots.changed(note, source)
    source.write_text("two\n")
    assert boots.changed(note, source)
    boots.remember(note, source)
    assert not boots.changed(note, source)
    assert {entry.name for entry in tmp_path.iterdir()} == {"boot_id", "boot"}


def test_the_kernel_tells_its_boot(tmp_path: Path) -> None:
    boots.remember(tmp_path / "boot")
    assert not boots.changed(tmp_path / "boot")
