from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage_kv import Store
from moorage_mount_manager_lmdb.records import Ending, Record, Records
from moorage_sdk import errors
from moorage_sdk.activations import Activation, ActiveMount
from moorage_sdk.mounts import Mount

DONE = Activation(
    "web",
    (ActiveMount(Mount("loop", "/disk\udcff", ("ro", "a,b"), "t"), "/run/0", 7, {"k": "v"}),),
    (Mount("overlay", "overlay", ("lowerdir=/a:/b", "")),),
    {"a": "b"},
)


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    opened = Records.open(tmp_path / "records")
    yield opened
    opened.close()


def test_what_is_about_to_be_is_noted_first(records: Records, tmp_path: Path) -> None:
    begun = records.begin("default", "web", ("loop", "ext4"), {"a": "b"}, "lease")
    assert begun == Record("default", 1, ("loop", "ext4"), Activation("web", labels={"a": "b"}), "lease")
    assert records.get("default", "web") == begun
    records.close()
    again = Records.open(tmp_path / "records")
    assert again.all() == [begun]
    again.close()


def test_what_is_done_is_remembered_whole(records: Records, tmp_path: Path) -> None:
    begun = records.begin("default", "web", ("loop",), {"a": "b"}, "lease")
    records.complete(begun, DONE)
    records.close()
    again = Records.open(tmp_path / "records")
    assert again.get("default", "web") == Record("default", 1, ("loop",), DONE, "lease", complete=True)
    again.close()


def test_a_name_is_taken_in_its_namespace_only(records: Records) -> None:
    records.begin("default", "web", (), {}, "")
    records.begin("other", "web", (), {}, "")
    records.begin("default", "a", (), {}, "")
    records.begin("default-2", "web", (), {}, "")
    with pytest.raises(errors.AlreadyExists, match='mount "web": already exists'):
        records.begin("default", "web", (), {}, "")
    assert [each.activation.name for each in records.all("default")] == ["a", "web"]
    assert [(each.namespace, each.number) for each in records.all()] == [
        ("default", 3),
        ("default", 1),
        ("default-2", 4),
        ("other", 2),
    ]


def test_names_of_any_length(records: Records) -> None:
    for name in ("x" * 5000, "x" * 5000 + "y", "ü/ \0\udcff"):
        records.begin("default", name, (), {}, "")
        assert records.get("default", name)


def test_an_ending_covers_the_mounts_until_they_are_gone(records: Records) -> None:
    begun = records.begin("default", "web", ("loop", "ext4"), {}, "")
    ending = records.end(begun)
    assert records.get("default", "web") is None
    assert records.endings() == [ending] == [Ending(begun.number, ("loop", "ext4"))]
    assert records.begin("default", "web", (), {}, "").number == begun.number + 1
    records.ended(ending)
    records.ended(ending)
    assert records.endings() == []


def test_only_the_very_activation_is_ended(records: Records) -> None:
    old = records.begin("default", "web", (), {}, "")
    records.end(old)
    records.begin("default", "web", (), {}, "")
    with pytest.raises(errors.NotFound, match='mount "web": not found'):
        records.end(old)
    assert records.get("default", "web")


def test_a_record_of_a_newer_program_is_not_guessed_at(tmp_path: Path) -> None:
    store = Store.open(tmp_path, tables=("activations", "endings"))
    store.write(lambda txn: txn.table("activations").put(b"default\0web", b"\x02{}"))
    records = Records(store)
    with pytest.raises(errors.DataLoss, match="unknown version 02"):
        records.get("default", "web")
    records.close()


def test_numbers_can_be_skipped(records: Records) -> None:
    records.skip(7)
    records.skip(3)
    assert records.begin("default", "web", (), {}, "").number == 8


def test_damaged_records_are_set_aside(records: Records, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    records.begin("default", "web", (), {}, "")
    records.close()
    for turn in range(2):
        (tmp_path / "records/data.mdb").write_bytes(b"damaged" * (turn + 1))
        again = Records.salvage(tmp_path / "records")
        assert again.all() == []
        again.begin("default", "web", (), {}, "")
        again.close()
        assert (tmp_path / "records.damaged/data.mdb").read_bytes() == b"damaged" * (turn + 1)
    assert "set aside" in caplog.text
    whole = Records.salvage(tmp_path / "records")
    assert [each.activation.name for each in whole.all()] == ["web"]
    whole.close()
