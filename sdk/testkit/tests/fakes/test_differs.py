import gzip
from pathlib import Path

import pytest

from moorage_sdk import digests, errors
from moorage_sdk.descriptors import OCI_LAYER, OCI_LAYER_GZIP, OCI_LAYER_ZSTD, Descriptor
from moorage_sdk.differs import StreamApplier
from moorage_sdk.mounts import Mount
from moorage_testkit.fakes.content import MemoryStore
from moorage_testkit.fakes.differs import TarDiffer
from moorage_testkit.images import File, layer

TAR = layer([File("a", b"1"), File("d/b", b"2")])
RESULT = Descriptor(OCI_LAYER, digests.of(TAR), len(TAR))


def mount(path: Path) -> list[Mount]:
    return [Mount("bind", str(path), ("rw", "rbind"))]


def test_a_blob_is_unpacked(tmp_path: Path) -> None:
    content, differ = MemoryStore(), TarDiffer()
    with content.writer("x") as writer:
        writer.write(gzip.compress(TAR))
        digest = writer.commit()
    assert differ.apply(Descriptor(OCI_LAYER_GZIP, digest, 1), mount(tmp_path), content) == RESULT
    assert (tmp_path / "d" / "b").read_bytes() == b"2"
    assert (differ.applied, differ.streamed) == (1, 0)


def test_a_stream_is_unpacked(tmp_path: Path) -> None:
    differ = TarDiffer()
    assert isinstance(differ, StreamApplier)
    with differ.open(OCI_LAYER, mount(tmp_path)) as application:
        application.write(TAR[:100])
        application.write(TAR[100:])
        assert application.finish() == RESULT
    assert (tmp_path / "a").read_bytes() == b"1"
    assert [application.closed for application in differ.applications] == [True]


@pytest.mark.parametrize(
    ("media_type", "data", "kind"),
    [
        (OCI_LAYER_ZSTD, b"", errors.Unimplemented),
        (OCI_LAYER_GZIP, b"no gzip", errors.DataLoss),
        (OCI_LAYER, b"no tar" * 200, errors.InvalidArgument),
    ],
)
def test_bad_layers_have_their_error(tmp_path: Path, media_type: str, data: bytes, kind: type[errors.Error]) -> None:
    with pytest.raises(kind):
        TarDiffer().unpack(media_type, data, mount(tmp_path))


def test_writing_layers_is_not_offered() -> None:
    with pytest.raises(errors.Unimplemented):
        TarDiffer().compare([], [], MemoryStore())
