"""The build goes on without a compiler, unless told otherwise."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

HOOK = Path(__file__).parents[1] / "hatch_build.py"


class App:
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def display_warning(self, message: str) -> None:
        self.warnings.append(message)


def build(app: App) -> dict[str, Any]:
    """What the hook makes of the data of a wheel."""
    spec = importlib.util.spec_from_file_location("hatch_build", HOOK)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    hook = module.Accelerator(str(HOOK.parent), {}, None, None, "", "wheel", app)
    data: dict[str, Any] = {"pure_python": True, "infer_tag": False, "force_include": {}}
    hook.initialize("standard", data)
    data["built"] = [Path(path).is_file() for path in data["force_include"]]
    hook.finalize("standard", data, "")
    data["left"] = [Path(path).exists() for path in data["force_include"]]
    return data


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cffi")
    pytest.importorskip("hatchling")
    monkeypatch.setenv("CC", "/bin/false")
    monkeypatch.delenv("MOORAGE_REQUIRE_COMPILER", raising=False)


@pytest.mark.usefixtures("no_compiler")
def test_pure_without_a_compiler() -> None:
    app = App()
    data = build(app)
    assert (data["pure_python"], data["infer_tag"], data["force_include"]) == (True, False, {})
    assert "layers unpack slower" in app.warnings[0]


@pytest.mark.usefixtures("no_compiler")
def test_fails_where_the_compiler_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOORAGE_REQUIRE_COMPILER", "1")
    with pytest.raises(Exception, match="false"):
        build(App())


@pytest.mark.usefixtures("no_compiler")
def test_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CC")
    app = App()
    data = build(app)
    if app.warnings:
        pytest.skip(app.warnings[0])
    (name,) = data["force_include"].values()
    assert name.startswith("moorage_sys/_tar_runs.")
    assert (data["pure_python"], data["infer_tag"], data["built"], data["left"]) == (False, True, [True], [False])
