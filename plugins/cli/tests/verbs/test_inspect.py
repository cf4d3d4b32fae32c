import json
from typing import Any


def test_containers_and_images(cli: Any) -> None:
    cli("run", "-d", "--name", "c", "busybox", "sleep", "100")
    container, image = json.loads(cli("inspect", "c", "busybox").out)
    assert container["spec"]["process"]["args"] == ["sleep", "100"]
    assert container["task"]["status"] == "running"
    assert image["manifests"][0]["command"] == ["sh"]
    assert image["manifests"][0]["layers"][0]["digest"].startswith("sha256:")


def test_which_kind(cli: Any) -> None:
    cli("create", "--name", "busybox", "busybox", "true")
    assert "spec" in json.loads(cli("inspect", "busybox").out)[0]
    assert "target" in json.loads(cli("inspect", "--type", "image", "busybox").out)[0]
    assert cli("inspect", "--type", "container", "nobody").code == 1
    assert cli("inspect", "nobody").err == 'moorage: container or image "nobody": not found\n'
    assert 'image "nobody": not found' in cli("inspect", "--type", "image", "nobody").err
    assert cli("inspect", "No Body").code == 1
