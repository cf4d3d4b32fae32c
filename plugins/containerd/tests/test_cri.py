"""The same file by containerd's own ``config migrate`` gave the tables that are expected here."""

from typing import Any

from moorage_containerd import cri

OLD: dict[str, Any] = {
    "disable_tcp_service": True,
    "stream_server_port": "0",
    "sandbox_image": "registry.k8s.io/pause:3.6",
    "enable_selinux": False,
    "max_concurrent_downloads": 5,
    "registry": {"config_path": "/etc/containerd/certs.d"},
    "cni": {"bin_dir": "/opt/cni/bin", "conf_dir": "/etc/cni/net.d"},
    "containerd": {
        "snapshotter": "overlayfs",
        "discard_unpacked_layers": True,
        "default_runtime_name": "runc",
        "runtimes": {"runc": {"runtime_type": "io.containerd.runc.v2", "sandbox_mode": "podsandbox"}},
    },
}
NEW = {
    cri.SERVER: {"disable_tcp_service": True, "stream_server_port": "0"},
    cri.IMAGES: {
        "registry": {"config_path": "/etc/containerd/certs.d"},
        "max_concurrent_downloads": 5,
        "snapshotter": "overlayfs",
        "discard_unpacked_layers": True,
        "pinned_images": {"sandbox": "registry.k8s.io/pause:3.6"},
    },
    cri.RUNTIME: {
        "enable_selinux": False,
        "cni": {"bin_dirs": ["/opt/cni/bin"], "conf_dir": "/etc/cni/net.d"},
        "containerd": {
            "default_runtime_name": "runc",
            "runtimes": {"runc": {"runtime_type": "io.containerd.runc.v2", "sandboxer": "podsandbox"}},
        },
    },
}


def copy(value: Any) -> Any:
    return {key: copy(item) for key, item in value.items()} if isinstance(value, dict) else value


def test_one_table_becomes_three() -> None:
    tables = {cri.SERVER: copy(OLD), "other": {"a": 1}}
    cri.split(tables)
    assert tables == {**NEW, "other": {"a": 1}}
    cri.split(tables)
    assert tables == {**NEW, "other": {"a": 1}}, "a second time, as for a file of version 3, changes nothing"


def test_without_the_old_table_nothing_happens() -> None:
    tables: dict[str, Any] = {cri.IMAGES: {"snapshotter": "native"}}
    cri.split(tables)
    assert tables == {cri.IMAGES: {"snapshotter": "native"}}


def test_settings_of_the_server_alone_make_no_further_tables() -> None:
    tables = {cri.SERVER: {"stream_server_port": "1"}}
    cri.split(tables)
    assert tables == {cri.SERVER: {"stream_server_port": "1"}}


def test_where_both_are_there_images_go_by_the_old_and_the_runtime_by_the_new() -> None:
    """Odd, but containerd's way (``migrateConfig`` in plugins/cri/images and in plugins/cri/runtime)."""
    tables = {
        cri.SERVER: copy(OLD),
        cri.IMAGES: {"max_concurrent_downloads": 9, "pinned_images": {"sandbox": "x", "more": "y"}},
        cri.RUNTIME: {
            "enable_selinux": True,
            "cni": {"bin_dirs": ["/x"], "conf_dir": "/y"},
            "containerd": {"runtimes": {}},
        },
    }
    cri.split(tables)
    assert tables[cri.IMAGES]["max_concurrent_downloads"] == 5
    assert tables[cri.IMAGES]["pinned_images"] == {"sandbox": "registry.k8s.io/pause:3.6", "more": "y"}
    assert tables[cri.RUNTIME]["enable_selinux"] is True
    assert tables[cri.RUNTIME]["cni"] == {"bin_dirs": ["/x"], "conf_dir": "/y"}
    assert tables[cri.RUNTIME]["containerd"] == {"default_runtime_name": "runc", "runtimes": {}}


def test_wrong_types_stop_nothing() -> None:
    tables: dict[str, Any] = {cri.SERVER: {"cni": 3, "containerd": [], "sandbox_image": 1}, cri.IMAGES: 7}
    cri.split(tables)
    assert tables[cri.IMAGES] == {"pinned_images": {"sandbox": 1}}
    tables = {cri.SERVER: {"containerd": {"runtimes": {"a": 3}, "snapshotter": 4}}}
    cri.split(tables)
    assert tables[cri.RUNTIME]["containerd"] == {"runtimes": {"a": 3}}
