import gzip
import io
import json
import tarfile
from typing import Any

import pytest

from moorage_client import archives
from moorage_client.clients import Client
from moorage_sdk import digests, errors
from moorage_sdk.descriptors import DOCKER_LAYER, DOCKER_LAYER_GZIP, OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST
from moorage_sdk.images import Image


def tar(members: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return buffer.getvalue()


def docker(tags: list[str] | None, **more: bytes) -> dict[str, bytes]:
    entry = {"Config": "c.json", "RepoTags": tags, "Layers": ["a/layer.tar", "b.tar"]}
    return {
        "a/layer.tar": b"plain layer",
        "b.tar": gzip.compress(b"packed layer", mtime=0),
        "c.json": b"{}",
        "manifest.json": json.dumps([entry]).encode(),
        **more,
    }


def layout(annotations: dict[str, str], **replaced: bytes) -> dict[str, bytes]:
    files: dict[str, bytes] = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}

    def blob(media_type: str, data: bytes, **more: Any) -> dict[str, Any]:
        digest = digests.of(data)
        files["blobs/" + digest.replace(":", "/")] = data
        return {"mediaType": media_type, "digest": digest, "size": len(data), **more}

    config, layer = blob(OCI_CONFIG, b"{}"), blob(OCI_LAYER, b"layer")
    document = {"schemaVersion": 2, "config": config, "layers": [layer]}
    manifest = blob(OCI_MANIFEST, json.dumps(document).encode(), annotations=annotations)
    files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [manifest]}).encode()
    return {**files, **replaced}


def load(talk: Any, store: Any, data: bytes, name: str = "") -> list[Image]:
    async def work(client: Client) -> list[Image]:
        return await archives.load(client, io.BytesIO(data), name)

    try:
        return talk(store.handlers(), work)
    finally:
        assert store.leases == []


def test_a_docker_archive(talk: Any, store: Any) -> None:
    images = load(talk, store, tar(docker(["busybox:1", "quay.io/x/y:2"])))
    assert [image.name for image in images] == ["docker.io/library/busybox:1", "quay.io/x/y:2"]
    document = json.loads(store.blobs[images[0].target.digest])
    assert [each["mediaType"] for each in document["layers"]] == [DOCKER_LAYER, DOCKER_LAYER_GZIP]
    assert document["config"]["digest"] == digests.of(b"{}")
    assert store.labels[images[0].target.digest] == {
        "containerd.io/gc.ref.content.config": digests.of(b"{}"),
        "containerd.io/gc.ref.content.l.0": digests.of(b"plain layer"),
        "containerd.io/gc.ref.content.l.1": document["layers"][1]["digest"],
    }


def test_links_stand_for_the_layer_they_name(talk: Any, store: Any) -> None:
    files = docker(["x"])
    files["real.tar"] = files.pop("a/layer.tar")
    images = load(talk, store, tar(files, {"a/layer.tar": "../real.tar"}))
    assert json.loads(store.blobs[images[0].target.digest])["layers"][0]["digest"] == digests.of(b"plain layer")


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({"io.containerd.image.name": "docker.io/library/x:1", "org.opencontainers.image.ref.name": "1"}, "x:1"),
        ({"org.opencontainers.image.ref.name": "x:1"}, "x:1"),
    ],
)
def test_a_layout_names_its_images(talk: Any, store: Any, annotations: dict[str, str], expected: str) -> None:
    images = load(talk, store, tar(layout(annotations)))
    assert [image.name for image in images] == [f"docker.io/library/{expected}"]
    assert images[0].target.annotations == {}


def test_a_name_given_wins(talk: Any, store: Any) -> None:
    assert load(talk, store, tar(layout({})), "mine")[0].name == "docker.io/library/mine:latest"


@pytest.mark.parametrize("annotations", [{}, {"org.opencontainers.image.ref.name": "latest"}])
def test_a_tag_alone_is_no_name(talk: Any, store: Any, annotations: dict[str, str]) -> None:
    with pytest.raises(errors.InvalidArgument) as caught:
        load(talk, store, tar(layout(annotations)))
    assert "--name" in caught.value.hint
    assert store.images == {}


def test_compressed_archives(talk: Any, store: Any) -> None:
    assert load(talk, store, gzip.compress(tar(docker(["x"]))))


def test_a_name_moves_to_the_new_image(talk: Any, store: Any) -> None:
    first = load(talk, store, tar(docker(["x"])))
    second = load(talk, store, tar(docker(["x"], **{"b.tar": b"changed"})))
    assert first[0].target != second[0].target
    assert store.images[first[0].name].target.digest == second[0].target.digest


def test_loading_again_sends_no_blob_again(talk: Any, store: Any) -> None:
    data = tar(layout({}))
    load(talk, store, data, "x")
    sent = store.sent
    load(talk, store, data, "x")
    assert store.sent == sent + len(layout({})["index.json"])


def test_a_platform_that_is_not_in_the_archive(talk: Any, store: Any) -> None:
    files = layout({})
    inner = json.loads(files["index.json"])
    inner["manifests"].append({"mediaType": OCI_MANIFEST, "digest": "sha256:" + "f" * 64, "size": 9})
    data = json.dumps(inner).encode()
    files["blobs/" + digests.of(data).replace(":", "/")] = data
    outer = {"manifests": [{"mediaType": OCI_INDEX, "digest": digests.of(data), "size": len(data)}]}
    files["index.json"] = json.dumps(outer).encode()
    image = load(talk, store, tar(files), "x")[0]
    assert image.target.media_type == OCI_INDEX
    assert set(store.labels[image.target.digest]) == {
        "containerd.io/gc.ref.content.m.0",
        "containerd.io/gc.ref.content.m.1",
    }


def damaged_blob() -> bytes:
    files = layout({})
    name = next(name for name, data in files.items() if data == b"layer")
    return tar({**files, name: b"other"})


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", errors.InvalidArgument),
        (b"x" * 2000, errors.InvalidArgument),
        (tar({"file": b"x"}), errors.InvalidArgument),
        (tar({"manifest.json": b"{}"}), errors.InvalidArgument),
        (tar({"manifest.json": b"[]"}), errors.InvalidArgument),
        (tar({"manifest.json": b"[1]"}), errors.InvalidArgument),
        (tar({**docker(["x"]), "manifest.json": b'[{"Config":"c.json","Layers":["no"]}]'}), errors.InvalidArgument),
        (tar(docker(["X X"])), errors.InvalidArgument),
        (tar({"oci-layout": b'{"imageLayoutVersion":"9"}'}), errors.InvalidArgument),
        (tar({"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}), errors.InvalidArgument),
        (tar(layout({}))[:-9000], errors.DataLoss),
        (gzip.compress(tar(docker(["x"])))[:-20], errors.DataLoss),
        (gzip.compress(tar(docker(["x"])))[:10] + b"\x07" * 200, errors.DataLoss),
        (damaged_blob(), errors.DataLoss),
    ],
)
def test_bad_archives_name_nothing(talk: Any, store: Any, data: bytes, kind: type[errors.Error]) -> None:
    with pytest.raises(kind):
        load(talk, store, data)
    assert store.images == {}


def test_sec_33_huge_documents_are_not_read(talk: Any, store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moorage_client.documents.ARCHIVE_LIMIT", 1000)
    with pytest.raises(errors.InvalidArgument, match="larger than"):
        load(talk, store, tar({"manifest.json": b" " * 2000}))


def test_one_name_for_two_images(talk: Any, store: Any) -> None:
    entries = [{"Config": "c.json", "RepoTags": None, "Layers": ["a"]}, {"Config": "c.json", "Layers": ["b"]}]
    data = tar({"a": b"1", "b": b"2", "c.json": b"{}", "manifest.json": json.dumps(entries).encode()})
    with pytest.raises(errors.InvalidArgument, match="2 images"):
        load(talk, store, data, "x")
