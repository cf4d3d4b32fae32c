"""Archives through the whole daemon: to and from ``moorage``, skopeo and containerd's ``ctr``, under every fault."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import itertools
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from moorage_client.clients import connect
from moorage_sdk import errors, platforms
from moorage_sdk.transfers import Export, ExtraName, Progress, Store, Unpack
from moorage_testkit import daemons, images
from moorage_testkit.archives import Tar
from moorage_testkit.daemons import Daemon, moorage, wait_until
from moorage_testkit.images import Layout

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: snapshots are mounted")

SKOPEO = pytest.mark.skipif(not shutil.which("skopeo"), reason="needs skopeo")
NAME = "docker.io/library/layered:1"
ANY = ExtraName("unnamed", is_prefix=True, allow_overwrite=True)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image and an index, with full names."""
    layout = Layout(tmp_path_factory.mktemp("layout") / "layout")
    layout.tag("layered:1", images.layered(layout, payload=300_000))
    layout.tag("r.test/multi:2", images.multi_platform(layout))
    return images.archive(layout, layout.path.with_suffix(".tar"))


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    with daemons.directory() as base, Daemon(moorage(), base) as daemon:
        yield daemon


def run(daemon: Daemon, work: Any) -> Any:
    async def main() -> Any:
        async with connect(daemon.address) as client:
            return await work(client)

    return asyncio.run(main())


def load(daemon: Daemon, source: Any, store: Store | None = None) -> tuple[list[str], list[Progress]]:
    lines: list[Progress] = []
    store = store or Store(extra_names=(ANY,), unpacks=[Unpack(platforms.host())])
    return run(daemon, lambda client: client.transfers.import_archive(source, store, lines.append)), lines


def save(daemon: Daemon, *names: str, **more: Any) -> bytes:
    sink = io.BytesIO()
    run(daemon, lambda client: client.transfers.export_archive(Export(names, sink, **more)))
    return sink.getvalue()


def command(daemon: Daemon, *words: str, **more: Any) -> subprocess.CompletedProcess[Any]:
    program = [sys.executable, "-I", "-m", "moorage_cli", "-a", daemon.address, "-n", "default"]
    return subprocess.run([*program, *words], capture_output=True, timeout=120, check=False, **more)


def snapshots(daemon: Daemon) -> list[str]:
    return [line.split()[0] for line in daemon.ctr("snapshots", "ls").stdout.splitlines()[1:]]


def test_an_archive_is_loaded_and_unpacked_and_comes_back_the_same(daemon: Daemon, archive: Path) -> None:
    names, lines = load(daemon, io.BytesIO(archive.read_bytes()))
    assert names == ["layered:1", "r.test/multi:2"]
    assert [line.event for line in lines] == ["Importing", "saved", "saved", "Completed import"]
    assert len(snapshots(daemon)) >= 5
    saved = save(daemon, *names, all_platforms=True)
    assert saved == save(daemon, *names, all_platforms=True)
    with daemons.directory() as base, Daemon(moorage(), base) as other:
        assert load(other, io.BytesIO(saved))[0] == names
        assert save(other, *names, all_platforms=True) == saved


def test_what_people_type(daemon: Daemon, archive: Path, tmp_path: Path) -> None:
    done = command(daemon, "load", "-i", str(archive))
    assert done.stdout.decode().splitlines() == [f"loaded {NAME}", "loaded r.test/multi:2"], done.stderr
    assert command(daemon, "save", "-o", str(tmp_path / "out.tar"), "layered:1").returncode == 0
    with tarfile.open(tmp_path / "out.tar") as tar:
        [entry] = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]
        assert entry["RepoTags"] == ["layered:1"]
    assert command(daemon, "rmi", "layered:1").returncode == 0
    piped = command(daemon, "save", "r.test/multi:2")
    done = command(daemon, "load", input=piped.stdout)
    assert done.stdout == b"loaded r.test/multi:2\n", done.stderr
    assert command(daemon, "load", "-i", str(tmp_path / "out.tar"), "--name", "other").stdout == (
        b"loaded docker.io/library/other:latest\n"
    )


@SKOPEO
@pytest.mark.parametrize("kind", ["oci-archive", "docker-archive"])
def test_skopeo_reads_what_we_save_and_we_what_it_writes(
    daemon: Daemon, archive: Path, tmp_path: Path, kind: str
) -> None:
    load(daemon, io.BytesIO(archive.read_bytes()))
    (tmp_path / "saved.tar").write_bytes(save(daemon, "layered:1"))
    before = set(snapshots(daemon))
    source, goal = f"{kind}:{tmp_path}/saved.tar", f"{kind}:{tmp_path}/copied.tar:r.test/copied:3"
    subprocess.run(["skopeo", "--insecure-policy", "copy", "-q", source, goal], check=True, capture_output=True)
    names, _ = load(daemon, io.BytesIO((tmp_path / "copied.tar").read_bytes()))
    assert names == ["r.test/copied:3"]
    assert set(snapshots(daemon)) == before  # the same layers are the same snapshots


def test_ctr_loads_what_we_save(daemon: Daemon, archive: Path, tmp_path: Path) -> None:
    if not shutil.which("containerd"):
        pytest.skip("containerd is not installed")
    load(daemon, io.BytesIO(archive.read_bytes()))
    (tmp_path / "saved.tar").write_bytes(save(daemon, "r.test/multi:2", all_platforms=True))
    with daemons.directory() as base, Daemon(daemons.containerd(), base) as other:
        done = other.ctr("images", "import", "--all-platforms", str(tmp_path / "saved.tar"))
        assert "r.test/multi:2" in other.ctr("images", "ls", "-q").stdout, done


class Half(io.RawIOBase):
    """An archive that stops in the middle, or where it is told, until it may go on."""

    def __init__(self, data: bytes, half: int | None = None) -> None:
        self._stream = io.BytesIO(data)
        self._half = len(data) // 2 if half is None else half
        self.reached, self.go = threading.Event(), threading.Event()

    def read(self, size: int = -1, /) -> bytes:
        if self._stream.tell() >= self._half:
            self.reached.set()
            self.go.wait(60)
        return self._stream.read(min(size, 64 << 10))


def left(daemon: Daemon) -> dict[str, list[str]]:
    """Images, ingests and leases."""

    async def work(client: Any) -> dict[str, list[str]]:
        return {
            "images": [image.name for image in await client.images.list()],
            "ingests": [status.ref for status in await client.contents.statuses()],
            "leases": [lease.id for lease in await client.leases.list()],
        }

    found: dict[str, list[str]] = run(daemon, work)
    return found


def test_a_daemon_that_is_killed_in_the_middle_has_named_nothing_and_goes_on(daemon: Daemon, archive: Path) -> None:
    half = Half(archive.read_bytes())
    outcome: list[object] = []

    def loading() -> None:
        try:
            outcome.append(load(daemon, half))
        except Exception as error:  # whatever grpc makes of a daemon that is gone
            outcome.append(error)

    thread = threading.Thread(target=loading)
    thread.start()
    assert half.reached.wait(60)
    wait_until(lambda: left(daemon)["ingests"] or len(daemon.ctr("content", "ls", "-q").stdout.split()) > 2)
    daemon.kill()
    half.go.set()
    thread.join(60)
    assert isinstance(outcome[0], Exception)
    daemon.start()
    found = left(daemon)
    assert found["images"] == []
    assert not [name for name in snapshots(daemon) if name.startswith("extract-")]
    assert load(daemon, io.BytesIO(archive.read_bytes()))[0] == ["layered:1", "r.test/multi:2"]
    assert left(daemon)["ingests"] == []
    assert set(left(daemon)["leases"]) <= set(found["leases"])  # what the dead one had expires


def test_a_client_that_goes_in_the_middle_leaves_nothing_but_blobs(daemon: Daemon, archive: Path) -> None:
    half = Half(archive.read_bytes())

    async def work(client: Any) -> None:
        loading = asyncio.create_task(client.transfers.import_archive(half, Store("x", extra_names=(ANY,))))
        await asyncio.to_thread(half.reached.wait, 60)
        loading.cancel()
        half.go.set()
        with contextlib.suppress(asyncio.CancelledError):
            await loading

    run(daemon, work)
    wait_until(lambda: left(daemon) == {"images": [], "ingests": [], "leases": []})


def test_an_archive_that_is_cut_off_names_nothing(daemon: Daemon, archive: Path) -> None:
    with pytest.raises(errors.DataLoss):
        load(daemon, io.BytesIO(archive.read_bytes()[:-200_000]))
    assert left(daemon) == {"images": [], "ingests": [], "leases": []}


def test_a_collection_in_the_middle_takes_nothing_away(daemon: Daemon, archive: Path) -> None:
    half = Half(archive.read_bytes())

    async def work(client: Any) -> list[str]:
        store = Store(extra_names=(ANY,), unpacks=[Unpack(platforms.host())])
        loading = asyncio.create_task(client.transfers.import_archive(half, store))
        await asyncio.to_thread(half.reached.wait, 60)
        lease = await client.leases.create()
        await client.leases.delete(lease.id, sync=True)  # collects
        half.go.set()
        names: list[str] = await loading
        return names

    names = run(daemon, work)
    assert names == ["layered:1", "r.test/multi:2"]
    assert save(daemon, *names, all_platforms=True)


class Stream(io.RawIOBase):
    """Bytes that are made while they are read."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self.sent = 0

    def read(self, size: int = -1, /) -> bytes:
        data = next(self._pieces, b"")
        self.sent += len(data)
        return data


def peak(daemon: Daemon) -> int:
    """Most bytes of memory that the daemon has had."""
    assert daemon.process is not None
    lines = Path(f"/proc/{daemon.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:"))


def header(name: str, size: int) -> bytes:
    return bytes(Tar().header(name, size=size).data)


def test_sec_33_ten_gigabytes_of_spaces_cost_neither_memory_nor_time(daemon: Daemon) -> None:
    before = peak(daemon)
    endless = Stream(itertools.chain([header("manifest.json", 10**10)], itertools.repeat(b" " * (1 << 20), 10_000)))
    with pytest.raises(errors.ResourceExhausted, match="limit"):
        load(daemon, endless)
    assert peak(daemon) - before < 64 << 20
    assert endless.sent < 64 << 20


@pytest.mark.parametrize("mebibytes", [200, pytest.param(1024, marks=pytest.mark.full)])
def test_large_layers_come_and_go_in_little_memory(daemon: Daemon, tmp_path: Path, mebibytes: int) -> None:
    layout = Layout(tmp_path / "layout")
    noise = random.Random(7).randbytes(1 << 20)
    digest, size = hashlib.sha256(), mebibytes << 20
    for _ in range(mebibytes):
        digest.update(noise)
    config = layout.image([b""])  # for its shape
    manifest = json.loads(layout.read(config.manifest))
    manifest["layers"] = [{**manifest["layers"][0], "digest": f"sha256:{digest.hexdigest()}", "size": size}]
    layout.tag("r.test/large:1", layout.blob(config.manifest.media_type, json.dumps(manifest).encode()))
    small = images.archive(layout, tmp_path / "tar").read_bytes().rstrip(b"\0")
    small += bytes(-len(small) % 512)
    layer = header(f"blobs/sha256/{digest.hexdigest()}", size)
    before = peak(daemon)
    pieces = itertools.chain([small, layer], itertools.repeat(noise, mebibytes), [bytes(1024)])
    assert load(daemon, Stream(pieces), Store(extra_names=(ANY,)))[0] == ["r.test/large:1"]

    class Counting:
        size = 0

        def write(self, data: bytes, /) -> None:
            self.size += len(data)

    sink = Counting()
    run(daemon, lambda client: client.transfers.export_archive(Export(("r.test/large:1",), sink)))
    assert sink.size > size
    assert peak(daemon) - before < 64 << 20


def test_archives_that_do_not_come_keep_nobody_from_the_rest(daemon: Daemon, archive: Path) -> None:
    """As many half-open imports as the daemon takes at once, and more."""

    async def work(client: Any) -> None:
        halves = [Half(b"x" * 10, 0) for _ in range(20)]
        stuck = [asyncio.create_task(client.transfers.import_archive(half, Store("x"))) for half in halves]
        await asyncio.sleep(0.5)
        await client.images.list()
        with pytest.raises(errors.NotFound):
            await client.transfers.tag("none", ["x"])
        for task in stuck:
            task.cancel()
        for half in halves:
            half.go.set()
        await asyncio.gather(*stuck, return_exceptions=True)

    run(daemon, work)
    assert load(daemon, io.BytesIO(archive.read_bytes()))[0] == ["layered:1", "r.test/multi:2"]
