import io
import tarfile

import pytest

from moorage_testkit import archives
from moorage_testkit.archives import Tar


def test_others_read_what_is_written() -> None:
    data = (
        Tar()
        .folder("d")
        .file("d/f", b"content", mode=0o600, uid=7, mtime=5)
        .symlink("s", "d/f")
        .link("l", "d/f")
        .pax({"path": "ü" * 200, "SCHILY.xattr.user.a": "b"})
        .file("short")
        .gnu_long("n" * 300)
        .file("cut", magic=archives.GNU)
        .end()
    )
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        members = tar.getmembers()
        assert [member.name for member in members] == ["d", "d/f", "s", "l", "ü" * 200, "n" * 300]
        assert (members[1].uid, members[1].mtime, members[1].mode) == (7, 5, 0o600)
        extracted = tar.extractfile("d/f")
        assert extracted and extracted.read() == b"content"


def test_wrong_checksum_is_wrong() -> None:
    data = Tar().header("x", checksum=1).end()
    with pytest.raises(tarfile.ReadError), tarfile.open(fileobj=io.BytesIO(data)):
        pass


@pytest.mark.parametrize("number", [0, 8**11, 2**63 - 1, -1])
def test_base256(number: int) -> None:
    data = Tar().header("x", mtime=archives.base256(number, 12), magic=archives.GNU).end()
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert tar.getmembers()[0].mtime == number


@pytest.mark.parametrize("length", [1, 89, 90, 91, 988, 989, 990])
def test_pax_record_counts_itself(length: int) -> None:
    record = archives.pax_record("key", "v" * length)
    assert int(record.partition(b" ")[0]) == len(record)
