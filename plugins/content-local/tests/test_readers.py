import os
from pathlib import Path

import pytest

from moorage_content_local.readers import LocalReader
from moorage_sdk import errors


def test_symbolic_link_is_no_blob(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("file")
    with pytest.raises(OSError):
        LocalReader(tmp_path / "link", "sha256:x")


def test_blob_cut_off_behind_our_back_does_not_look_complete(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(100))
    with LocalReader(tmp_path / "file", "sha256:x") as reader:
        os.truncate(tmp_path / "file", 60)
        assert len(reader.read_at(0, 50)) == 50
        with pytest.raises(errors.DataLoss, match="ends at 60 of 100"):
            reader.read_at(0, 100)
