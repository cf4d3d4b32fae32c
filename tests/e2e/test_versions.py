"""Files of every version, with whatever containerd's plugins may say: printed in the newest they mean the same."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as settings_
from hypothesis import strategies as st

from moorage_core import daemons, programs, references, writers
from moorage_core.daemons import Plan
from moorage_core.discovery import Installed
from moorage_core.settings import Request

SCHEDULER = "io.containerd.gc.v1.scheduler"
OVERLAYFS = "io.containerd.snapshotter.v1.overlayfs"
BOLT = "io.containerd.metadata.v1.bolt"
LMDB = "io.containerd.metadata.v1.lmdb"
CRI = "io.containerd.grpc.v1.cri"

words = st.text('abc/.-_é"\\ ', max_size=8)
lists = st.lists(words, max_size=3)
durations = st.sampled_from(["0s", "3s", "1m30s", "250ms"])
paths = st.sampled_from(["", "/run/a.sock", "/run/b.sock"])
ids = st.integers(0, 70_000)


def table(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=values)


plugins = {
    SCHEDULER: table(
        pause_threshold=st.floats(0, 0.5), mutation_threshold=st.integers(0, 9), startup_delay=durations, odd=words
    ),
    OVERLAYFS: table(root_path=paths, upperdir_label=st.booleans(), mount_options=lists),
    BOLT: table(content_sharing_policy=st.sampled_from(["shared", "isolated"]), no_sync=st.booleans()),
    "io.containerd.service.v1.diff-service": table(default=lists, sync_fs=st.booleans()),
    "io.containerd.shim.v1.manager": table(env=lists, socket_dir=paths),
    CRI: table(
        sandbox_image=words,
        stream_server_port=words,
        enable_selinux=st.booleans(),
        cni=table(bin_dir=words, conf_dir=words),
        containerd=table(snapshotter=words, runtimes=st.dictionaries(words, table(sandbox_mode=words), max_size=2)),
    ),
    "io.containerd.internal.v1.restart": table(interval=durations),
    "io.example.unheard.v1.of": st.dictionaries(words, words | st.integers(-9, 9) | lists, max_size=2),
}
owners = {
    "grpc": table(address=paths, uid=ids, gid=ids, max_recv_message_size=st.integers(0, 9999), tcp_address=words),
    "ttrpc": table(address=paths, uid=ids, gid=ids),
    "metrics": table(address=words, grpc_histogram=st.booleans()),
}
common = {
    "root": st.just("/var/lib/x"),
    "temp": st.sampled_from(["", "/tmp/x"]),
    "oom_score": st.integers(-1000, 1000),
    "disabled_plugins": st.lists(st.sampled_from([OVERLAYFS, CRI, BOLT, "io.example.unheard.v1.of"]), max_size=3),
    "debug": table(level=st.sampled_from(["", "debug", "warn"]), address=paths, uid=ids),
    "cgroup": table(path=st.sampled_from(["", "/a", "a/b"])),
    "timeouts": st.dictionaries(st.sampled_from(["io.containerd.timeout.shim.load", "io.x"]), durations),
    "stream_processors": st.dictionaries(
        words, table(accepts=lists, returns=words, path=words, args=lists, env=lists), max_size=2
    ),
    "plugins": st.fixed_dictionaries({}, optional=plugins),
}
files = st.one_of(
    st.fixed_dictionaries({"version": st.integers(1, 3)}, optional={**common, **owners}),
    st.fixed_dictionaries({"version": st.just(4)}, optional=common),
)


@pytest.fixture(scope="module")
def installed() -> Installed:
    return Installed()


def planned(installed: Installed, file: Path) -> Plan:
    return daemons.plan(daemons.outline(Request(str(file)), programs.CONTAINERD, installed), installed)


@given(files)
@settings_(
    max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_file_of_any_version_is_taken_and_means_the_same_in_the_newest(
    installed: Installed, tmp_path: Path, document: dict[str, Any]
) -> None:
    file, printed = tmp_path / "config.toml", tmp_path / "printed.toml"
    file.write_text(writers.dumps(document))
    first = planned(installed, file)
    text = references.document(first, first.settings.top.imports)
    printed.write_text(text)
    second = planned(installed, printed)
    assert references.document(second, second.settings.top.imports) == text
    assert {each.uri: (each.state, each.config, each.tables) for each in first.records} == {
        each.uri: (each.state, each.config, each.tables) for each in second.records
    }
    _said(document, tomllib.loads(text))


def _said(document: dict[str, Any], effective: dict[str, Any]) -> None:
    """What the file said is what holds."""
    said, holds = document.get("plugins", {}), effective["plugins"]
    for name in ("oom_score", "temp"):
        assert effective[name] == document.get(name, effective[name])
    known = {key: value for key, value in said.get(SCHEDULER, {}).items() if key != "odd"}
    assert known.items() <= holds[SCHEDULER].items()
    assert said.get(BOLT, {}).items() <= holds.get(LMDB, said.get(BOLT, {})).items()
    for name, entry in document.get("stream_processors", {}).items():
        assert entry.items() <= effective["stream_processors"][name].items()
    if "stream_server_port" in said.get(CRI, {}) and document["version"] < 4:
        assert holds[CRI] == {"stream_server_port": said[CRI]["stream_server_port"]}
