"""The tree installs as its users do it: the bundle, an edit of a member, a wheel from a source distribution."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

IGNORED = shutil.ignore_patterns(".git", ".venv", ".tox", "__pycache__", ".*_cache", ".hypothesis", "dist", "build")

MEMBERS = ("sdk/*/pyproject.toml", "core/pyproject.toml", "plugins/*/pyproject.toml")


def run(*argv: str | Path, cwd: Path) -> str:
    """Output of a command; ours see neither the user's Python settings nor a network they were told not to use."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(argv, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{argv}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


@pytest.fixture
def tree(tmp_path: Path, root: Path) -> Path:
    return Path(shutil.copytree(root, tmp_path / "tree", ignore=IGNORED))


def environment(place: Path) -> Path:
    """A fresh virtual environment that may build without isolation, for hatchling comes from the running one."""
    run(sys.executable, "-m", "venv", "--system-site-packages", place, cwd=place.parent)
    site = next(place.glob("lib/python3*/site-packages"))
    outer = [path for path in sys.path if path.endswith("site-packages")]
    (site / "outer.pth").write_text("\n".join(outer), encoding="utf-8")
    return place / "bin" / "python"


INSTALL = ("-m", "pip", "install", "-q", "--no-build-isolation", "--no-deps", "--force-reinstall")


def test_an_edit_of_a_member_is_seen_after_a_reinstall(tree: Path, tmp_path: Path) -> None:
    marker = tree / "sdk/slots/src/moorage_sdk/markers.py"
    for edit in ("first", "second"):
        marker.write_text(f'EDIT = "{edit}"\n', encoding="utf-8")
        python = environment(tmp_path / edit)
        run(python, *INSTALL, tree / "sdk/slots", cwd=tmp_path)
        assert (
            run(python, "-I", "-c", "from moorage_sdk import markers; print(markers.EDIT)", cwd=tmp_path).strip()
            == edit
        )


def test_the_bundle_installs_every_member(tree: Path, tmp_path: Path, root: Path) -> None:
    python = environment(tmp_path / "venv")
    report = run(
        python, "-m", "pip", "install", "--dry-run", "--quiet", "--report", "-", "--no-build-isolation",
        "--force-reinstall", "--no-index", "--find-links", tmp_path, "--no-deps", tree, cwd=tmp_path,
    )  # fmt: skip
    for file in sorted(file for pattern in MEMBERS for file in root.glob(pattern)):
        name = "moorage-sdk" if file.parent.name == "slots" else f"moorage-{file.parent.name}"
        assert f"{name} @ " in report, name
    for file in sorted(root.glob("plugins_ext/*/pyproject.toml")):
        extra = file.parent.name
        wanted = [line for line in json.loads(report)["install"][0]["metadata"]["requires_dist"] if "extra" in line]
        assert any(re.fullmatch(rf"moorage-{extra} ?@ .+; ?extra == '{extra}'", line) for line in wanted), wanted


def test_a_release_pins_members_by_version(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOORAGE_RELEASE", "1")
    python = environment(tmp_path / "venv")
    out = tmp_path / "out"
    run(python, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", out, tree, cwd=tmp_path)
    (wheel,) = out.glob("moorage-*.whl")
    listing = run(sys.executable, "-m", "zipfile", "-e", wheel, tmp_path / "unpacked", cwd=tmp_path)
    assert listing == ""
    (metadata,) = (tmp_path / "unpacked").glob("*.dist-info/METADATA")
    text = metadata.read_text("utf-8")
    assert "Requires-Dist: moorage-core==" in text
    assert "file://" not in text


@pytest.mark.full
def test_every_member_builds_from_its_source_distribution_without_network(tree: Path, tmp_path: Path) -> None:
    python = environment(tmp_path / "venv")
    for file in sorted(
        [
            *tree.glob("sdk/*/pyproject.toml"),
            tree / "core/pyproject.toml",
            *tree.glob("plugins/*/pyproject.toml"),
            *tree.glob("plugins_ext/*/pyproject.toml"),
        ]
    ):
        out = tmp_path / "sdist" / file.parent.name
        run(python, "-m", "hatchling", "build", "-t", "sdist", "-d", out, cwd=file.parent)
        (archive,) = out.glob("*.tar.gz")
        run(
            python, "-m", "pip", "wheel", "-q", "--no-index", "--no-build-isolation", "--no-deps", "-w", out, archive,
            cwd=tmp_path,
        )  # fmt: skip
        assert list(out.glob("*.whl")), file.parent.name
