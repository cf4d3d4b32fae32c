"""Shims that are processes: a scripted one, and containerd's own where it is installed."""

import asyncio
import contextlib
import json
import logging
import os
import shutil
from pathlib import Path

import pytest
from google.protobuf.any_pb2 import Any

from moorage_api.messages import bootstrap, shim_v3
from moorage_sdk import errors
from moorage_sdk.events import Payload
from moorage_sdk.runtimes import Endpoint
from moorage_sdk.tasks import Bundle
from moorage_tasks_shim.binaries import Binary, Timeouts
from moorage_tasks_shim.bootstraps import Daemon
from moorage_tasks_shim.logs import ShimLog
from moorage_tasks_shim.shims import Link, Links

DAEMON = Daemon("/run/g.sock", "/run/g.sock.ttrpc", "/usr/bin/mooraged", "0.1.0")
OPTIONS = Payload("containerd.runc.v1.Options", b"\x08\x01")


def scripted(folder: Path, body: str, name: str = "containerd-shim-x-v1", timeouts: Timeouts | None = None) -> Binary:
    """A shim that records what it is given: ``args``, ``env`` and ``input`` of its last start or delete."""
    path = folder / name
    path.write_text(f'#!/bin/sh\n[ "$1" = -v ] && {{ echo "{name}: Version: 2.3.0"; exit; }}\n{body}\n')
    path.chmod(0o755)
    return Binary(path, DAEMON, ("EXTRA=1",), timeouts or Timeouts())


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    (tmp_path / "bundle").mkdir()
    return Bundle(str(tmp_path / "bundle"), "ns", "web")


RECORD = 'echo "$@" > args; env > env; cat > input; '


def test_start_follows_the_contract(tmp_path: Path, bundle: Bundle) -> None:
    binary = scripted(tmp_path, RECORD + "echo unix:///run/s/x")
    assert asyncio.run(binary.start(bundle, OPTIONS)) == Endpoint("/run/s/x", 2)
    folder = Path(bundle.path)  # which is where it ran
    wanted = "-namespace ns -address /run/g.sock -publish-binary /usr/bin/mooraged -id web start"
    assert (folder / "args").read_text().strip() == wanted
    env = dict(line.partition("=")[::2] for line in (folder / "env").read_text().splitlines())
    told = {"TTRPC_ADDRESS": "/run/g.sock.ttrpc", "GRPC_ADDRESS": "/run/g.sock", "NAMESPACE": "ns", "EXTRA": "1"}
    assert told.items() <= env.items()
    assert (env["MAX_SHIM_VERSION"], env["GOMAXPROCS"]) == ("2", "2")
    assert Any.FromString((folder / "input").read_bytes()).type_url == OPTIONS.type_url


def test_a_shim_known_to_be_new_gets_bootstrap_parameters(tmp_path: Path, bundle: Bundle) -> None:
    answer = json.dumps({"version": 3, "address": "unix:///run/s/x", "protocol": "ttrpc"})
    binary = scripted(tmp_path, RECORD + f"echo '{answer}'", name="containerd-shim-runc-v2")
    assert asyncio.run(binary.start(bundle, OPTIONS)) == Endpoint("/run/s/x", 3)
    told = bootstrap.BootstrapParams.FromString(Path(bundle.path, "input").read_bytes())
    assert (told.instance_id, told.namespace) == ("web", "ns")


def test_a_version_is_asked_once_until_the_binary_changes(tmp_path: Path, bundle: Bundle) -> None:
    binary = scripted(tmp_path, "echo unix:///run/s/x", name="containerd-shim-runc-v2")
    text = binary.path.read_text().replace("echo", f"echo asked >> {tmp_path / 'asked'}; echo", 1)
    binary.path.write_text(text)

    def start() -> int:
        asyncio.run(Binary(binary.path, DAEMON, versions=binary.versions).start(bundle, None))
        return (tmp_path / "asked").read_text().count("asked")

    assert [start(), start()] == [1, 1]
    newer = binary.path.with_name("newer")
    newer.write_text(text)
    newer.chmod(0o755)
    newer.replace(binary.path)
    assert [start(), start()] == [2, 2]


def test_a_shim_of_another_name_is_told_by_protobuf_if_an_operator_says_so(tmp_path: Path, bundle: Bundle) -> None:
    plain = scripted(tmp_path, RECORD + "echo unix:///run/s/x")
    binary = Binary(plain.path, DAEMON, protobuf_shims=[plain.path.name])
    asyncio.run(binary.start(bundle, None))
    told = bootstrap.BootstrapParams.FromString(Path(bundle.path, "input").read_bytes())
    assert (told.instance_id, told.namespace) == ("web", "ns")


def test_a_shim_gets_the_operators_environment_and_not_the_daemons(
    tmp_path: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "NOTIFY_SOCKET", "LISTEN_FDS", "MOORAGE_PROGRAM", "MALLOC_ARENA_MAX"):
        monkeypatch.setenv(name, "here")
    asyncio.run(scripted(tmp_path, RECORD + "echo unix:///run/s/x").start(bundle, None))
    named = {line.partition("=")[0] for line in Path(bundle.path, "env").read_text().splitlines()}
    assert "HTTPS_PROXY" in named
    assert not {"NOTIFY_SOCKET", "LISTEN_FDS", "MOORAGE_PROGRAM", "MALLOC_ARENA_MAX"} & named


def test_shims_debug_when_the_daemon_does(tmp_path: Path, bundle: Bundle, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        asyncio.run(scripted(tmp_path, RECORD + "echo unix:///run/s/x").start(bundle, None))
    assert " -debug " in Path(bundle.path, "args").read_text()


def test_a_shim_is_not_in_the_daemons_process_group(tmp_path: Path, bundle: Bundle) -> None:
    asyncio.run(scripted(tmp_path, "ps -o pgid= -p $$ > group; echo unix:///run/s/x").start(bundle, None))
    assert int(Path(bundle.path, "group").read_text()) != os.getpgrp()


def test_delete_names_the_bundle_and_reads_the_answer(tmp_path: Path, bundle: Bundle) -> None:
    (tmp_path / "answer").write_bytes(shim_v3.DeleteResponse(pid=7, exit_status=137).SerializeToString())
    binary = scripted(tmp_path, RECORD + f"cat {tmp_path / 'answer'}")
    said = asyncio.run(binary.delete(bundle))
    assert (said.pid, said.exit_status) == (7, 137)
    assert Path(bundle.path, "args").read_text().strip().endswith(f"-id web -bundle {bundle.path} delete")


def test_what_a_failing_shim_says_is_passed_on(tmp_path: Path, bundle: Bundle) -> None:
    binary = scripted(tmp_path, "echo the disk is full >&2; exit 9")
    with pytest.raises(errors.Unavailable, match="exit status 9: the disk is full"):
        asyncio.run(binary.start(bundle, None))


def test_a_shim_that_hangs_is_killed(tmp_path: Path, bundle: Bundle) -> None:
    binary = scripted(tmp_path, "echo $$ > pid; exec sleep 600", timeouts=Timeouts(start=0.5))
    with pytest.raises(errors.Unavailable, match=r"no answer within 0\.5 s"):
        asyncio.run(binary.start(bundle, None))
    pid = int(Path(bundle.path, "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_shim_that_does_not_stop_talking_is_stopped(tmp_path: Path, bundle: Bundle) -> None:
    for words in ("exec yes", "exec yes >&2"):
        binary = scripted(tmp_path, f"echo $$ > pid; {words}")
        with pytest.raises(errors.Unavailable, match="answer is longer than 10485760 bytes"):
            asyncio.run(binary.start(bundle, OPTIONS))
        with pytest.raises(ProcessLookupError):
            os.kill(int(Path(bundle.path, "pid").read_text()), 0)


def test_a_shim_that_does_not_listen_is_heard_all_the_same(tmp_path: Path, bundle: Bundle) -> None:
    options = Payload("x", b"x" * (1 << 20))
    binary = scripted(tmp_path, "exec <&-; echo unix:///run/s/x")
    assert asyncio.run(binary.start(bundle, options)) == Endpoint("/run/s/x", 2)


def test_a_binary_that_cannot_run_is_unavailable(tmp_path: Path, bundle: Bundle) -> None:
    with pytest.raises(errors.Unavailable, match="cannot run"):
        asyncio.run(Binary(tmp_path / "gone", DAEMON).start(bundle, None))


def test_info_passes_bytes_both_ways(tmp_path: Path) -> None:
    assert asyncio.run(scripted(tmp_path, 'echo "$@"; cat').info(b"abc")) == b"-info\nabc"


@pytest.mark.skipif(not shutil.which("containerd-shim-runc-v2"), reason="containerd's shim is not installed")
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to run a shim")
def test_containerds_own_shim_starts_answers_and_goes(tmp_path: Path) -> None:
    async def run() -> None:
        bundle = Bundle(str(tmp_path / "web"), "ns", "web")
        Path(bundle.path).mkdir()
        Path(bundle.path, "config.json").write_text("{}")
        binary = Binary(Path(shutil.which("containerd-shim-runc-v2") or ""), DAEMON)
        log = ShimLog(bundle)
        endpoint = await binary.start(bundle, OPTIONS)
        links = Links(nobody)
        link = await links.take(endpoint)
        with pytest.raises(errors.NotFound):
            await link.call("ns", "State", id="web")
        with contextlib.suppress(errors.Unavailable):
            await link.call("ns", "Shutdown", 3, id="web", now=True)
        await asyncio.wait_for(link.closed(), 10)
        log.close()

    asyncio.run(run())


async def nobody(link: Link) -> None:
    return
