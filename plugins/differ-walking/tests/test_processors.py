"""Programs of every kind between a blob and the unpacker: good ones, and all sorts of bad ones."""

from __future__ import annotations

import gzip
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from moorage_differ_walking.differs import WalkingDiffer
from moorage_differ_walking.limits import Limits
from moorage_differ_walking.processors import Chain
from moorage_differ_walking.routes import Processor, Step
from moorage_sdk import digests, errors
from moorage_sdk.content import Reader
from moorage_sdk.descriptors import OCI_LAYER, OCI_LAYER_GZIP, Descriptor
from moorage_sdk.mounts import Mount
from moorage_testkit.archives import Tar
from moorage_testkit.fakes.content import MemoryStore
from moorage_testkit.suites.blobs import put

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and mounts need root")
LAYER = Tar().folder("d").file("d/f", b"content" * 10_000).end()
ROT = "application/x-rot"
Run = Callable[..., Descriptor]


def shell(script: str, *, accepts: str = ROT, returns: str = OCI_LAYER, env: tuple[str, ...] = ()) -> Processor:
    return Processor((accepts,), returns, "sh", ("-c", script), env)


def descriptors() -> set[str]:
    return {each.name for each in Path("/proc/self/fd").iterdir()}


@pytest.fixture
def unpack(tmp_path: Path) -> Run:
    """Unpack a blob, as a file's descriptor, by bytes from a store, or streamed; nothing is left of it afterwards."""
    target = tmp_path / "target"
    target.mkdir()

    def run(blob: bytes, processors: Mapping[str, Processor], how: str = "file", **more: Any) -> Descriptor:
        limits = Limits(seconds=more.pop("seconds", 60))
        differ = WalkingDiffer(tmp_path / "workspace", limits, processors=processors)
        mounts = (Mount("bind", str(target), ("rbind", "rw")),)
        if how == "stream":
            with differ.open(ROT, mounts) as application:
                application.write(blob)
                return application.finish()
        store = MemoryStore() if how == "store" else Files(tmp_path / "blob")
        return differ.apply(Descriptor(ROT, put(store, blob), len(blob)), mounts, store, **more)

    return run


class Files(MemoryStore):
    """Its readers have a descriptor, as those of a store in a directory."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = file

    def reader(self, digest: str) -> Reader:
        inner = super().reader(digest)
        self.file.write_bytes(inner.read_at(0, inner.size))
        return FileReader(self.file)


class FileReader(Reader):
    def __init__(self, file: Path) -> None:
        self.fd = os.open(file, os.O_RDONLY)

    @property
    def size(self) -> int:
        return os.fstat(self.fd).st_size

    def read_at(self, offset: int, size: int) -> bytes:
        raise AssertionError("who has a descriptor reads by it")

    def fileno(self) -> int:
        return self.fd

    def close(self) -> None:
        os.close(self.fd)


@needs_root
@pytest.mark.parametrize("how", ["file", "store", "stream"])
def test_a_layer_through_two_processors_and_what_is_built_in(unpack: Run, tmp_path: Path, how: str) -> None:
    swap = "tr 'a-zA-Z' 'n-za-mN-ZA-M'"
    chain = {
        "first": shell("cat", returns="application/x-more"),
        "second": shell("cat", accepts="application/x-more", returns=OCI_LAYER_GZIP),
    }
    assert unpack(gzip.compress(LAYER), chain, how) == Descriptor(OCI_LAYER, digests.of(LAYER), len(LAYER))
    assert (tmp_path / "target/d/f").read_bytes() == b"content" * 10_000
    rotated = LAYER.translate(bytes.maketrans(b"abcdefghijklmnopqrstuvwxyz", b"nopqrstuvwxyzabcdefghijklm"))
    again = {"swap": Processor((ROT,), OCI_LAYER, "sh", ("-c", f"LC_ALL=C {swap}"))}
    assert unpack(rotated, again, how).size == len(LAYER)


@needs_root
def test_what_a_processor_is_given(unpack: Run, tmp_path: Path) -> None:
    script = f'cat <&3 >{tmp_path}/payload; echo "$STREAM_PROCESSOR_MEDIATYPE $KEY $HOME" >{tmp_path}/env; cat'
    unpack(LAYER, {"id": shell(script, env=("KEY=v=w", "odd"))}, payloads={"id": b"secret", "other": b"x"})
    assert (tmp_path / "payload").read_bytes() == b"secret"
    assert (tmp_path / "env").read_text() == f"{ROT} v=w {os.environ.get('HOME', '')}\n"


@needs_root
def test_without_a_payload_there_is_no_descriptor_for_it(unpack: Run, tmp_path: Path) -> None:
    unpack(LAYER, {"id": shell(f"ls -l /proc/$$/fd/3 >{tmp_path}/third 2>/dev/null; cat")})
    assert (tmp_path / "third").read_text() == ""


@needs_root
@pytest.mark.parametrize("how", ["file", "stream"])
@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("cat; echo 'no key' >&2; exit 3", 'stream processor "id": exited with 3: no key'),
        ("head -c 700; echo half >&2; exit 1", 'stream processor "id": exited with 1: half'),
        ("exit 2", 'stream processor "id": exited with 2: no message'),
        ("kill -9 $$", 'stream processor "id": killed by signal 9: no message'),
        ("yes talk | head -c 1000000 >&2; echo last >&2; exit 1", "(?s)exited with 1: .*talk\nlast$"),
    ],
)
def test_what_fails_says_so_with_its_own_words(unpack: Run, how: str, script: str, message: str) -> None:
    before = descriptors()
    with pytest.raises(errors.Error, match=message):
        unpack(LAYER, {"id": shell(script)}, how)
    assert descriptors() == before


@needs_root
def test_the_first_that_failed_is_told_and_not_its_victims(unpack: Run) -> None:
    chain = {
        "first": shell("cat; echo why >&2; exit 4", returns="application/x-more"),
        "second": shell("cat >/dev/null; exit 5", accepts="application/x-more"),
    }
    with pytest.raises(errors.Error, match='"first": exited with 4: why'):
        unpack(LAYER, chain)
    chain = {
        "first": shell("yes", returns="application/x-more"),
        "second": shell("echo full >&2; exit 5", accepts="application/x-more"),
    }
    with pytest.raises(errors.Error, match='"second": exited with 5: full'):
        unpack(LAYER, chain)


@needs_root
@pytest.mark.parametrize("how", ["file", "store", "stream"])
def test_garbage_is_the_unpackers_to_refuse(unpack: Run, how: str) -> None:
    with pytest.raises(errors.InvalidArgument, match="layer"):
        unpack(LAYER, {"id": shell("yes garbage")}, how)


@needs_root
@pytest.mark.parametrize("how", ["file", "store", "stream"])
def test_one_that_reads_nothing_may_end_well(unpack: Run, how: str) -> None:
    """An empty stream is an empty layer, as containerd's reader of archives has it."""
    assert unpack(LAYER * 100, {"id": shell("exit 0")}, how).size == 0


@needs_root
@pytest.mark.parametrize("how", ["file", "store", "stream"])
def test_one_that_neither_reads_nor_ends_is_killed_with_its_children(unpack: Run, tmp_path: Path, how: str) -> None:
    script = f"sleep 1000 & echo $! >{tmp_path}/child; wait"
    with pytest.raises(errors.DeadlineExceeded):
        unpack(LAYER * 100, {"id": shell(script)}, how, seconds=2)
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 10
    while alive(child):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@needs_root
def test_one_that_lingers_after_its_output_is_killed_and_no_error(unpack: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moorage_differ_walking.processors.Chain.failure.__defaults__", (0.2,))
    assert unpack(LAYER, {"id": shell("cat; exec >&-; exec sleep 1000")}).size == len(LAYER)


@needs_root
@pytest.mark.parametrize("path", ["moorage-no-such-program", "/moorage/no/such"])
def test_one_that_is_missing_says_what_to_do(unpack: Run, path: str) -> None:
    before = descriptors()
    with pytest.raises(errors.Error, match=r'stream processor "id" for ".*": exec: ".*": not found in PATH \(install'):
        unpack(LAYER, {"id": Processor((ROT,), OCI_LAYER, path)}, "stream")
    assert descriptors() == before


def test_the_second_missing_kills_the_first(unpack: Run) -> None:
    chain = {
        "first": shell("sleep 1000", returns="b"),
        "second": Processor(("b",), OCI_LAYER, "moorage-no-such-program"),
    }
    began = time.monotonic()
    with pytest.raises(errors.Error, match='"second" for "b"'):
        unpack(LAYER, chain, "stream")
    assert time.monotonic() - began < 100


def test_one_that_is_no_program(unpack: Run, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("words")
    with pytest.raises(errors.Error, match=r'"id": exec: ".*text": .*Permission denied'):
        unpack(LAYER, {"id": Processor((ROT,), OCI_LAYER, str(tmp_path / "text"))}, "stream")
    with pytest.raises(errors.Error, match="null"):
        unpack(LAYER, {"id": Processor((ROT,), OCI_LAYER, "sh", ("a\0b",))}, "stream")


def test_a_processor_dies_of_a_closed_pipe_as_programs_do() -> None:
    """Python ignores SIGPIPE; what it starts must not, or ``yes`` would not end."""
    with open("/dev/null", "rb") as nothing:
        chain = Chain([Step("id", shell("exec yes"), ROT)], {}, nothing.fileno())
    chain.release()
    assert chain.failure() is None
    assert [running.status for running in chain._running] == [-signal.SIGPIPE]
    chain.close()
    chain.close()


def alive(pid: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
