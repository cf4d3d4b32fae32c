"""``moorage gc`` on a daemon with an image."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

BUSYBOX = "docker.io/library/busybox:latest"


@pytest.fixture
def gc(mooraged: Any, namespace: str) -> Any:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-m", "moorage_cli", "-a", mooraged.address, "-n", namespace, "gc", *arguments]
        return subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)

    return run


def test_why_a_layer_is_kept(mooraged: Any, namespace: str, gc: Any) -> None:
    listed = mooraged.ctr("-n", namespace, "content", "ls").stdout.splitlines()
    layer = next(line.split()[0] for line in listed[1:] if "gc.ref" not in line)
    shown = gc("why", layer[:19])
    assert shown.returncode == 0, shown.stderr
    lines = shown.stdout.splitlines()
    assert lines[0] == f"image {namespace} {BUSYBOX} (root)"
    assert lines[1].startswith(f"  content {namespace} sha256:")
    assert lines[1].endswith("(target)")
    assert lines[-1].strip().startswith(f"content {namespace} {layer} (label containerd.io/gc.ref.content.")
    told = json.loads(gc("why", "--format", "json", "content", layer).stdout)
    assert told["key"] == layer
    assert told["paths"][0][0]["key"] == BUSYBOX


def test_what_nothing_names(gc: Any, namespace: str) -> None:
    shown = gc("why", "image", "nosuchimage")
    assert shown.returncode == 1
    assert shown.stderr == f'moorage: image "nosuchimage" in namespace "{namespace}": not found\n'
    assert "not one of content" in gc("why", "pod", "x").stderr


def test_a_plan_and_a_run(mooraged: Any, namespace: str, gc: Any) -> None:
    gc("run")
    assert gc("plan").stdout == "nothing\n"
    assert gc("run").stdout == "nothing\n"
    # A lease that has expired stays as long as nothing starts a collection, and creating one starts none.
    expired = ("leases", "create", "--id", "old", "--expires", "1ns")
    mooraged.ctr("-n", namespace, *expired)
    planned = [json.loads(line) for line in gc("plan", "--format", "json").stdout.splitlines()]
    went = [json.loads(line) for line in gc("run", "--format", "json").stdout.splitlines()]
    assert went in (planned, [])
    assert all((each["kind"], each["key"]) == ("lease", "old") for each in [*planned, *went])
    assert "old" not in mooraged.ctr("-n", namespace, "leases", "ls", "-q").stdout
