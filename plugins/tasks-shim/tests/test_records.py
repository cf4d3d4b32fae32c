"""What is remembered of a task."""

import json
from pathlib import Path

import pytest

from moorage_sdk import errors
from moorage_sdk.runtimes import Endpoint
from moorage_sdk.tasks import Bundle, Stdio
from moorage_sys import files
from moorage_tasks_shim import bootstraps, records
from moorage_tasks_shim.bundles import Bundles
from moorage_tasks_shim.records import Record


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    bundle = Bundle(str(tmp_path), "ns", "web")
    for record in (
        Record("io.containerd.runc.v2"),
        Record("x", Stdio("/in", "/out", "", True), "/bin/shim", Endpoint("/run/s", 2, True)),
        Record("x", endpoint=Endpoint("/run/s", 3), sandbox="pod"),
    ):
        records.save(bundle, record)
        assert records.load(bundle) == record


def test_shims_of_binaries_are_described_as_containerd_does(tmp_path: Path) -> None:
    bundle = Bundle(str(tmp_path), "ns", "web")
    endpoint = Endpoint("/run/s", 3)
    records.save(bundle, Record("x", binary="/bin/shim", endpoint=endpoint))
    assert bootstraps.answer((tmp_path / records.BOOTSTRAP).read_bytes()) == endpoint
    assert not (tmp_path / records.BINARY).exists()


def test_the_path_of_the_program_lies_in_the_bundle(tmp_path: Path) -> None:
    bundles = Bundles(tmp_path, tmp_path)
    bundle = bundles.create("ns", "web", b"{}")
    records.enter(bundles, bundle, Record("io.containerd.runc.v2"), "/bin/containerd-shim-moorage-v2")
    assert Path(bundle.path, records.BINARY).read_text() == "/bin/containerd-shim-moorage-v2"
    assert records.load(bundle) == Record("io.containerd.runc.v2")


@pytest.mark.parametrize(
    ("files", "record"),
    [
        (
            {"shim-binary-path": "/s", "bootstrap.json": '{"version":3,"address":"unix:///x","protocol":"ttrpc"}'},
            Record("/s", binary="/s", endpoint=Endpoint("/x", 3)),
        ),
        (
            {"shim-binary-path": "/s", "address": "unix:///x"},
            Record("/s", binary="/s", endpoint=Endpoint("/x", 2)),
        ),
        (
            {"sandbox": "pod", "bootstrap.json": '{"version":3,"address":"unix:///x","protocol":"grpc"}'},
            Record("", endpoint=Endpoint("/x", 3, protocol="grpc"), sandbox="pod"),
        ),
    ],
)
def test_what_containerd_left_is_understood(tmp_path: Path, files: dict[str, str], record: Record) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    assert records.load(Bundle(str(tmp_path), "ns", "web")) == record


@pytest.mark.parametrize(
    "files",
    [
        {"shim-binary-path": "/s"},
        {"bootstrap.json": '{"version":3,"address":"unix:///x","protocol":"ttrpc"}'},
        {"shim-binary-path": "/s", "address": "@abstract"},
        {"shim-binary-path": "/s", "address": "\udcff"},
        {"shim-binary-path": "/s", "bootstrap.json": "[" * 4000},
    ],
)
def test_what_containerd_left_by_halves_is_no_record(tmp_path: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content, errors="surrogateescape")
    with pytest.raises(errors.NotFound):
        records.load(Bundle(str(tmp_path), "ns", "web"))


def test_an_address_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "shim-binary-path").write_text("/s")
    (tmp_path / "elsewhere").write_text("unix:///x")
    (tmp_path / "address").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(errors.NotFound):
        records.load(Bundle(str(tmp_path), "ns", "web"))


def test_the_shim_of_a_sandbox_is_described_without_a_binary(tmp_path: Path) -> None:
    endpoint = Endpoint("/run/s", 3)
    records.save(Bundle(str(tmp_path), "ns", "web"), Record("x", endpoint=endpoint, sandbox="pod"))
    assert bootstraps.answer((tmp_path / records.BOOTSTRAP).read_bytes()) == endpoint
    assert not (tmp_path / records.BINARY).exists()


def test_a_record_of_a_daemon_that_knew_no_sandboxes(tmp_path: Path) -> None:
    old = {"runtime": "x", "stdio": {"stdin": "", "stdout": "", "stderr": "", "terminal": False}}
    (tmp_path / records.FILE).write_text(json.dumps({**old, "binary": "", "endpoint": None}))
    assert records.load(Bundle(str(tmp_path), "ns", "web")) == Record("x")


def test_a_new_bundle_that_takes_no_record_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundles = Bundles(tmp_path, tmp_path)

    def refuse(path: Path, data: bytes) -> None:
        raise OSError(28, "no space")

    (tmp_path / "ns" / "web").mkdir(parents=True)
    records.enter(bundles, bundles.bundle("ns", "web"), Record("x"))
    assert records.load(bundles.bundle("ns", "web")) == Record("x")
    monkeypatch.setattr(files, "replace", refuse)
    with pytest.raises(OSError, match="no space"):
        records.enter(bundles, bundles.bundle("ns", "web"), Record("x"))
    assert list((tmp_path / "ns").iterdir()) == []


def test_a_missing_record_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(errors.NotFound):
        records.load(Bundle(str(tmp_path), "ns", "web"))


@pytest.mark.parametrize("content", ["", "{}", "[]", "null", '{"runtime": 1}', json.dumps({"endpoint": {"x": 1}})])
def test_a_damaged_record_is_data_loss(tmp_path: Path, content: str) -> None:
    (tmp_path / records.FILE).write_text(content)
    with pytest.raises(errors.DataLoss):
        records.load(Bundle(str(tmp_path), "ns", "web"))
