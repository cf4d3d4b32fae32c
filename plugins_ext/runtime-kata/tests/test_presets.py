import json
import logging
from pathlib import Path

import pytest

from moorage_api.messages import runtime_options
from moorage_runtime_kata import presets
from moorage_runtime_kata.presets import DEFAULT, Handler, KataPreset
from moorage_sdk import errors, sandboxes, tasks
from moorage_sdk.containers import Runtime
from moorage_sdk.events import Payload
from moorage_sdk.mounts import Mount

QEMU = "io.containerd.kata-qemu.v2"
EVIL = "io.katacontainers.config.hypervisor.path"
FINE = "io.katacontainers.config.hypervisor.default_memory"
SHIM = "/opt/kata/bin/containerd-shim-kata-v2"


@pytest.fixture
def preset() -> KataPreset:
    return KataPreset({QEMU: Handler(SHIM, "/opt/kata/qemu.toml", (FINE,))})


def creation(runtime: str, **fields: object) -> tasks.Creation:
    spec = json.dumps({"annotations": {EVIL: "/evil", FINE: "512", "other": "x"}}).encode()
    return tasks.Creation("c", runtime, spec, **fields)  # type: ignore[arg-type]


def path_of(options: Payload | None) -> str:
    assert options is not None
    return runtime_options.Options.FromString(options.value).config_path


def kept(spec: bytes) -> set[str]:
    return set(json.loads(spec)["annotations"])


def test_names_and_programs(preset: KataPreset) -> None:
    assert preset.names == (DEFAULT, QEMU)
    assert (preset.program(DEFAULT), preset.program(QEMU)) == (DEFAULT, SHIM)
    assert KataPreset({DEFAULT: Handler("/k")}).program(DEFAULT) == "/k"


def test_each_name_has_its_own_list_and_file(preset: KataPreset, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        default, qemu = preset.prepare("ns", creation(DEFAULT)), preset.prepare("ns", creation(QEMU))
    assert (kept(default.spec), default.options) == ({"other"}, None)
    assert (kept(qemu.spec), path_of(qemu.options)) == ({"other", FINE}, "/opt/kata/qemu.toml")
    assert (default.runtime, qemu.runtime) == (DEFAULT, QEMU)
    assert f'container "c" in namespace "ns": annotations not passed on: {FINE}, {EVIL}' in caplog.text


@pytest.mark.parametrize(
    ("path", "passing"), [(SHIM, {"other", FINE}), ("/usr/bin/containerd-shim-kata-v2", {"other"})]
)
def test_a_path_is_the_name_that_leads_to_it(preset: KataPreset, path: str, passing: set[str]) -> None:
    assert kept(preset.prepare("ns", creation(path)).spec) == passing


def test_images_without_layers_are_refused(preset: KataPreset, tmp_path: Path) -> None:
    bare = (Mount("bind", str(tmp_path), ("rbind", "rw")),)
    with pytest.raises(errors.InvalidArgument, match='container "c": its image has no layers'):
        preset.prepare("ns", creation(QEMU, rootfs=bare))
    pod = sandboxes.Creation(sandboxes.Sandbox("s", Runtime(QEMU)), rootfs=bare)
    with pytest.raises(errors.InvalidArgument, match='sandbox "s": its image has no layers'):
        preset.prepare_sandbox("ns", pod)


def test_a_sandbox_is_cleaned_in_all_places(preset: KataPreset) -> None:
    spec = Payload("spec", creation(QEMU).spec)
    entry = b"\x0a" + bytes([len(EVIL)]) + EVIL.encode()
    config = b"\x3a" + bytes([len(entry)]) + entry
    made = preset.prepare_sandbox(
        "ns",
        sandboxes.Creation(
            sandboxes.Sandbox("s", Runtime(QEMU), spec, labels={"kept": "yes"}),
            options=Payload("runtime.v1.PodSandboxConfig", config),
            annotations={EVIL: "/evil", FINE: "1"},
            netns="/run/netns/x",
        ),
    )
    assert made.sandbox.spec is not None and made.options is not None
    assert (kept(made.sandbox.spec.value), made.options.value) == ({"other", FINE}, b"")
    assert (made.annotations, made.netns, made.sandbox.labels) == ({FINE: "1"}, "/run/netns/x", {"kept": "yes"})
    assert path_of(made.sandbox.runtime.options) == "/opt/kata/qemu.toml"


def test_a_sandbox_may_have_nothing(preset: KataPreset) -> None:
    bare = sandboxes.Creation(sandboxes.Sandbox("s", Runtime(DEFAULT)))
    assert preset.prepare_sandbox("ns", bare) == bare


def test_faults_and_warnings() -> None:
    bad = Handler("bin/kata", "kata.toml", ("io.kubernetes.*",))
    assert presets.faults("k", bad) == [
        'runtimes."k".runtime_path "bin/kata": must be an absolute path',
        'runtimes."k".config_path "kata.toml": must be an absolute path',
        'runtimes."k".annotations: "io.kubernetes.*": must begin with "io.katacontainers."',
    ]
    assert presets.faults("k", Handler(SHIM, "/x", (FINE,))) == []
    (warning,) = presets.warnings({"k": Handler(annotations=(FINE, EVIL))})
    assert f'runtime "k": annotation "{EVIL}"' in warning
