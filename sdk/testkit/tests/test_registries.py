"""The registry of Debian, as tests run it."""

import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from moorage_testkit.images import File, Layout, layer, push
from moorage_testkit.registries import PASSWORD, USER, Registry, available

pytestmark = pytest.mark.skipif(not available(), reason="docker-registry, skopeo or openssl is not installed")


def tags(registry: Registry, name: str) -> list[str]:
    with urllib.request.urlopen(f"http://{registry.address}/v2/{name}/tags/list", timeout=10) as response:
        return list(json.load(response)["tags"])


def test_it_keeps_what_is_pushed_as_it_was(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "layout")
    image = layout.image([layer([File("a", b"1")])])
    layout.tag("latest", image)
    with Registry(tmp_path / "registry") as registry:
        push(layout, "latest", f"{registry.address}/a/b:v1")
        assert tags(registry, "a/b") == ["v1"]
        kept = {file.parent.name for file in registry.blobs.glob("sha256/*/*/data")}
        assert image.manifest.digest.removeprefix("sha256:") in kept
        assert "listening" in registry.output()
        address = registry.address
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"http://{address}/v2/", timeout=10)


def test_it_can_want_a_password(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "layout")
    layout.tag("latest", layout.image([layer([File("a", b"1")])]))
    with Registry(tmp_path / "registry", htpasswd=True) as registry:
        with pytest.raises(RuntimeError, match="skopeo"):
            push(layout, "latest", f"{registry.address}/a/b:v1")
        push(layout, "latest", f"{registry.address}/a/b:v1", credentials=f"{USER}:{PASSWORD}")


def test_one_that_does_not_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moorage_testkit.registries.START_TIME", 1.0)
    registry = Registry(tmp_path / "registry")
    monkeypatch.setattr(registry, "_config", lambda: {"version": 0.1, "storage": {"nonsense": {}}})
    with pytest.raises(RuntimeError, match=r"does not start: .*nonsense"), registry:
        pass
