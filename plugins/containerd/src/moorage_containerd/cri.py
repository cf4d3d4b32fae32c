"""The table of CRI as it was before version 3, in the three that it became (plugins/cri of containerd v2.3).

Nothing here reads them; but a file that is brought to version 4 must say there what it said before, for containerd and
for whoever serves pods later.
"""

from __future__ import annotations

from typing import Any

SERVER = "io.containerd.grpc.v1.cri"
IMAGES = "io.containerd.cri.v1.images"
RUNTIME = "io.containerd.cri.v1.runtime"

_SERVER = (
    "disable_tcp_service",
    "stream_server_address",
    "stream_server_port",
    "stream_idle_timeout",
    "enable_tls_streaming",
    "x509_key_pair_streaming",
)
_IMAGES = (
    "registry",
    "image_decryption",
    "max_concurrent_downloads",
    "image_pull_progress_timeout",
    "image_pull_with_sync_fs",
    "stats_collect_period",
)
_SNAPSHOTS = ("snapshotter", "disable_snapshot_annotations", "discard_unpacked_layers")


def split(tables: dict[str, Any]) -> None:
    """Split the old table where there is one, in place. A value that is no table is left for others to complain of."""
    old = tables.get(SERVER)
    if not isinstance(old, dict):
        return
    images = _images(old, _table(tables.get(IMAGES)))
    runtime = _runtime(old, _table(tables.get(RUNTIME)))
    tables[SERVER] = {key: old[key] for key in _SERVER if key in old}
    tables.update({uri: table for uri, table in ((IMAGES, images), (RUNTIME, runtime)) if table or uri in tables})


def _images(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    moved = {key: old[key] for key in _IMAGES if key in old}
    containerd = _table(old.get("containerd"))
    moved |= {key: containerd[key] for key in _SNAPSHOTS if key in containerd}
    pinned = _table(new.get("pinned_images"))
    if "sandbox_image" in old:
        pinned = {**pinned, "sandbox": old["sandbox_image"]}
    return {**new, **moved, **({"pinned_images": pinned} if pinned else {})}


def _runtime(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """What the new table says already wins here, other than above: so it is in containerd."""
    apart = {"sandbox_image", "cni", "containerd", *_IMAGES, *_SERVER}
    runtime = {**{key: value for key, value in old.items() if key not in apart}, **new}
    if isinstance(old.get("cni"), dict):
        runtime["cni"] = _network(old["cni"], _table(new.get("cni")))
    if isinstance(old.get("containerd"), dict):
        rest = {key: value for key, value in old["containerd"].items() if key not in _SNAPSHOTS}
        runtime["containerd"] = _sandboxed({**rest, **_table(new.get("containerd"))})
    return runtime


def _network(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    rest = {key: value for key, value in old.items() if key != "bin_dir"}
    if "bin_dir" in old and not new.get("bin_dirs"):
        rest["bin_dirs"] = [old["bin_dir"]]
        new = {key: value for key, value in new.items() if key != "bin_dirs"}
    return {**rest, **new}


def _sandboxed(containerd: dict[str, Any]) -> dict[str, Any]:
    for runtime in _table(containerd.get("runtimes")).values():
        if isinstance(runtime, dict) and "sandbox_mode" in runtime and "sandboxer" not in runtime:
            runtime["sandboxer"] = runtime.pop("sandbox_mode")
    return containerd


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
