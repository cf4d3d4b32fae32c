from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from moorage_api.convert import typeurls
from moorage_api.messages import runc_options
from moorage_runtime_runc.reapers import Reaper
from moorage_runtime_runc.runtimes import CheckpointFlags, Runtime, Settings
from moorage_runtime_runc.spawns import Spawner
from moorage_sdk import errors

RECORDER = """#!/bin/sh
for word; do printf '%s\\n' "$word"; done > {folder}/argv
while [ $# -gt 0 ]; do
    case $1 in
        --log) log=$2 ;;
        --process|--resources) cp "$2" {folder}/sent ;;
    esac
    shift
done
{body}
"""


def with_runtime(tmp_path: Path, body: str, scenario: Any, **settings: Any) -> None:
    program = tmp_path / "oci"
    program.write_text(RECORDER.format(folder=tmp_path, body=body))
    program.chmod(0o755)
    bundle = tmp_path / "bundle"
    bundle.mkdir()

    async def main() -> None:
        reaper = Reaper()
        reaper.start()
        try:
            made = Settings(binary=str(program), root=str(tmp_path / "root"), **settings)
            async with asyncio.timeout(30):
                await scenario(Runtime(reaper, Spawner(), made, "ns", "c", bundle))
        finally:
            reaper.close()

    asyncio.run(main())
    assert not list(bundle.iterdir())


def argv(tmp_path: Path) -> list[str]:
    words = (tmp_path / "argv").read_text().splitlines()
    at = words.index("--log")
    assert words[at + 2 : at + 4] == ["--log-format", "json"]
    assert words[:2] == ["--root", str(tmp_path / "root" / "ns")]
    return words[2:at] + words[at + 4 :]


def test_command_lines(tmp_path: Path) -> None:
    async def scenario(runtime: Runtime) -> None:
        await runtime.create(Path("/p"), None, Path("/c"))
        assert (
            argv(tmp_path)
            == (
                f"--systemd-cgroup create --bundle {tmp_path}/bundle --pid-file /p --console-socket /c "
                "--no-pivot --no-new-keyring c"
            ).split()
        )
        await runtime.start()
        assert argv(tmp_path) == ["--systemd-cgroup", "start", "c"]
        await runtime.exec({"args": ["é"]}, Path("/p"), None, None)
        assert argv(tmp_path)[1:3] == ["exec", "--process"] and argv(tmp_path)[4:] == [
            "--detach",
            "--pid-file",
            "/p",
            "c",
        ]
        assert json.loads((tmp_path / "sent").read_text()) == {"args": ["é"]}
        await runtime.kill(9, all=True)
        assert argv(tmp_path)[1:] == ["kill", "--all", "c", "9"]
        await runtime.delete(force=True)
        assert argv(tmp_path)[1:] == ["delete", "--force", "c"]
        await runtime.update(b'{"pids": 1}')
        assert (tmp_path / "sent").read_text() == '{"pids": 1}'
        flags = CheckpointFlags(exit=False, open_tcp=True, empty_namespaces=("network",), cgroups_mode="soft")
        await runtime.checkpoint("/i", "/w", flags)
        assert argv(tmp_path)[1:] == [
            "checkpoint",
            "--image-path",
            "/i",
            "--work-path",
            "/w",
            "--leave-running",
            "--tcp-established",
            "--empty-ns",
            "network",
            "--manage-cgroups-mode",
            "soft",
            "c",
        ]
        await runtime.restore(Path("/p"), None, None, "/i", "/w", "/parent")
        assert argv(tmp_path)[1:3] == ["restore", "--image-path"] and argv(tmp_path)[-1] == "c"
        assert "--detach" in argv(tmp_path) and "/parent" in argv(tmp_path)

    with_runtime(tmp_path, "", scenario, systemd_cgroup=True, no_pivot_root=True, no_new_keyring=True)


LOG = r"""
printf '%s\n' '{"level":"error","msg":"first"}' 'no json' '{"level":"error","msg":" the last \u00e9 "}' \
    '{"level":"warning","msg":"later"}' > "$log"
exit 1
"""


def test_the_last_error_of_the_log_is_told(tmp_path: Path) -> None:
    async def scenario(runtime: Runtime) -> None:
        with pytest.raises(errors.Error) as caught:
            await runtime.start()
        assert str(caught.value) == "OCI runtime start failed: the last é"

    with_runtime(tmp_path, LOG, scenario)


def test_without_a_log_its_output_or_status_is_told(tmp_path: Path) -> None:
    async def scenario(runtime: Runtime) -> None:
        with pytest.raises(errors.Error, match="OCI runtime pause failed: to stderr"):
            await runtime.pause()

    with_runtime(tmp_path, "echo to stderr >&2; exit 3", scenario)


def test_the_runtime_works_in_the_bundle(tmp_path: Path) -> None:
    async def scenario(runtime: Runtime) -> None:
        before = Path.cwd()
        await runtime.start()
        assert Path.cwd() == before
        assert (tmp_path / "where").read_text().strip() == str(tmp_path / "bundle")

    with_runtime(tmp_path, f"pwd -P > {tmp_path}/where", scenario)


@pytest.mark.parametrize(("set_for_us", "seen"), [(None, "1"), ("7", "7")])
def test_runc_starts_no_more_threads_than_it_can_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, set_for_us: str | None, seen: str
) -> None:
    monkeypatch.delenv("GOMAXPROCS", raising=False)
    if set_for_us is not None:
        monkeypatch.setenv("GOMAXPROCS", set_for_us)

    async def scene(runtime: Runtime) -> None:
        await runtime.start()

    with_runtime(tmp_path, f'echo "$GOMAXPROCS" > {tmp_path}/seen', scene)
    assert (tmp_path / "seen").read_text().strip() == seen


def test_a_signal_is_told_as_a_status(tmp_path: Path) -> None:
    async def scenario(runtime: Runtime) -> None:
        with pytest.raises(errors.Error, match="did not terminate successfully: 137"):
            await runtime.resume()

    with_runtime(tmp_path, "kill -KILL $$", scenario)


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("container not running", errors.NotFound),
        ("os: process already finished", errors.NotFound),
        ("kill container: No such process", errors.NotFound),
        ('container "c" does not exist', errors.NotFound),
        ("permission denied", errors.Error),
    ],
)
def test_kill_errors_have_their_class(tmp_path: Path, words: str, kind: type[errors.Error]) -> None:
    async def scenario(runtime: Runtime) -> None:
        with pytest.raises(errors.Error) as caught:
            await runtime.kill(signal.SIGTERM)
        assert type(caught.value) is kind

    with_runtime(tmp_path, f"echo '{words}' >&2; exit 1", scenario)


def test_deleting_what_is_gone_is_no_error(tmp_path: Path) -> None:
    async def scenario(runtime: Runtime) -> None:
        await runtime.delete()

    with_runtime(tmp_path, 'echo "container does not exist" >&2; exit 1', scenario)


CRUN = "crun"


@pytest.fixture
def crun_node(node: Any) -> Any:
    """The monitor in a mount namespace without the cgroup2 part of a hybrid host, which crun cannot do with."""
    if shutil.which(CRUN) is None:
        pytest.skip("needs crun")
    node.stop()
    node.binary = CRUN
    if os.path.ismount("/sys/fs/cgroup/unified"):
        node.prefix = ["unshare", "-m", "sh", "-c", 'umount /sys/fs/cgroup/unified; exec "$@"', "sh"]
    node.start()
    return node


def test_crun(scenario: Any, crun_node: Any) -> None:
    async def body(node: Any) -> None:
        assert (await node.run(node.bundle("sh", "-c", "exit 7"))).exit_status == 7
        with pytest.raises(errors.Error, match=r"OCI runtime create failed: .*program"):
            await node.create(node.bundle("program", name="x"), "x")
        await node.create(node.bundle(name="d"), "d")
        await node.call("Start", "d")
        await node.exec("e", "sh", "-c", "exit 3", id="d")
        assert (await node.call("Wait", "d", exec_id="e")).exit_status == 3
        await node.call("Pause", "d")
        assert await node.status("d") == "PAUSED"
        await node.call("Resume", "d")
        assert len((await node.call("Pids", "d")).processes) == 1
        out = node.fifo("out")
        reader = os.open(out, os.O_RDONLY | os.O_NONBLOCK)
        await node.exec("t", "sh", "-c", "test -t 1 && echo terminal", id="d", stdout=str(out), terminal=True)
        await node.call("Wait", "d", exec_id="t")
        await node.call("Delete", "d", exec_id="t")
        assert os.read(reader, 100) == b"terminal\r\n"
        os.close(reader)
        await node.call("Kill", "d", signal=signal.SIGKILL)
        assert (await node.call("Wait", "d")).exit_status == 137
        with pytest.raises(errors.NotFound, match="process already finished"):
            await node.call("Kill", "d", signal=signal.SIGKILL)
        await node.call("Delete", "d")
        await node.create(node.bundle(name="f"), "f")
        assert (await node.call("Delete", "f")).exit_status == 137

    scenario(body)


def test_crun_and_resources(scenario: Any, crun_node: Any) -> None:
    async def body(node: Any) -> None:
        resources = {"memory": {"limit": 24 << 20}, "pids": {"limit": 20}}
        script = "sleep 0.3; dd if=/dev/zero of=/dev/null bs=64M count=1; sleep 1000 & sleep 1000"
        await node.create(node.bundle("sh", "-c", script, resources=resources))
        await node.call("Start")
        await node.until_event("TaskOOM", container_id="c")
        assert await node.status() == "RUNNING"
        await node.call("Update", resources=typeurls.pack_json(typeurls.LINUX_RESOURCES, {"pids": {"limit": 33}}))
        assert typeurls.unpack((await node.call("Stats")).stats).pids.limit == 33
        with pytest.raises(errors.Error, match="OCI runtime update failed"):
            await node.call("Update", resources=typeurls.pack(runc_options.Options(root="{")))
        for _ in range(2):
            assert (await node.exec("e", "sh", "-c", "exit 4")) > 0
            assert (await node.call("Wait", exec_id="e")).exit_status == 4
            await node.call("Delete", exec_id="e")
        await node.call("Pause")
        await node.call("Kill", signal=signal.SIGKILL, all=True)
        assert (await node.call("Wait")).exit_status == 137
        await node.call("Delete")

    scenario(body)


def test_a_bundle_that_takes_no_file_is_an_error_of_the_command(tmp_path: Path) -> None:
    async def scenario(runtime: Runtime) -> None:
        (tmp_path / "bundle").rmdir()
        with pytest.raises(errors.Error, match=r'OCI runtime kill failed: ".*bundle.*": No such file'):
            await runtime.kill(signal.SIGKILL, all=True)
        (tmp_path / "bundle").mkdir()

    with_runtime(tmp_path, "exit 0", scenario)


def test_resources_that_are_no_text_are_refused(tmp_path: Path) -> None:
    async def scenario(runtime: Runtime) -> None:
        with pytest.raises(errors.InvalidArgument, match="resources: not UTF-8"):
            await runtime.update(b"\xff")

    with_runtime(tmp_path, "exit 0", scenario)
