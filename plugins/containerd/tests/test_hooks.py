import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from moorage_containerd import hooks
from moorage_sdk import errors
from moorage_sdk.verbs import Command


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text(json.dumps({"ociVersion": "1.0.2", "root": {"path": "rootfs"}}))
    return tmp_path


def state(bundle: Path, **more: Any) -> dict[str, Any]:
    return {"ociVersion": "1.0.2", "id": "web", "status": "created", "pid": 42, "bundle": str(bundle), **more}


def test_the_facts(bundle: Path) -> None:
    found = hooks.functions(state(bundle, annotations={"a": "b"}))
    assert {name: function() for name, function in found.items() if name != "annotation"} == {
        "id": "web",
        "bundle": str(bundle),
        "rootfs": f"{bundle}/rootfs",
        "pid": "42",
        "status": "created",
    }
    assert (found["annotation"]("a"), found["annotation"]("none")) == ("b", "")
    assert hooks.functions(state(bundle, annotations=None))["annotation"]("a") == ""
    (bundle / "config.json").write_text('{"root": {"path": "/srv/root"}}')
    assert hooks.functions(state(bundle))["rootfs"]() == "/srv/root"


def test_the_process_becomes_the_program(bundle: Path) -> None:
    script = 'printf "%s|" "$0" "$@"; echo "$HOOK"; cat; exit 7'
    words = ["/bin/sh", "-c", script, "{{id}}", "--pid={{pid}}", '{{annotation "net"}}', "{{rootfs}}"]
    code = (
        "import sys; from moorage_containerd.hooks import hook; from moorage_sdk.verbs import Command; "
        "hook(Command(tuple(sys.argv[1:]), 'mooraged', ''))"
    )
    for words_ in (words, ["--", *words]):
        done = subprocess.run(
            [sys.executable, "-c", code, *words_],
            input=json.dumps(state(bundle, annotations={"net": "host net"})),
            env={"HOOK": "of {{id}}={{status}}", "PLAIN": "x"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout == f"web|--pid=42|host net|{bundle}/rootfs|of web=created\n", done.stderr
        assert done.returncode == 7


@pytest.mark.parametrize(
    ("text", "spec", "words", "message"),
    [
        ("", "{}", ["/bin/true"], "standard input: no JSON"),
        ("[]", "{}", ["/bin/true"], "standard input: no JSON object"),
        ("{", "{}", ["/bin/true"], "standard input: no JSON"),
        ("[" * 100_000, "{}", ["/bin/true"], "standard input: no JSON"),
        (None, "{", ["/bin/true"], 'specification ".*config.json": no JSON'),
        (None, "{}", ["/bin/true"], "names no root.path"),
        (None, '{"root": {"path": 3}}', ["/bin/true"], "names no root.path"),
        (None, "", ["/bin/true"], "no JSON"),
        (None, '{"root": {"path": "r"}}', ["{{nosuch}}"], 'function "nosuch" not defined'),
        (None, '{"root": {"path": "r"}}', [], "no program is named"),
        (None, '{"root": {"path": "r"}}', ["/no/such"], 'exec "/no/such": .*No such file'),
        (None, '{"root": {"path": "r"}}', ["true"], 'exec "true"'),
    ],
)
def test_what_is_refused(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, spec: str, words: list[str], message: str
) -> None:
    (bundle / "config.json").write_text(spec)
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(state(bundle)) if text is None else text))
    monkeypatch.chdir(bundle)
    with pytest.raises(errors.Error, match=message):
        hooks.hook(Command(tuple(words), "mooraged", ""))


def test_a_bundle_without_a_specification(tmp_path: Path) -> None:
    with pytest.raises(errors.FailedPrecondition, match=r'config\.json": No such file'):
        hooks.functions(state(tmp_path))
