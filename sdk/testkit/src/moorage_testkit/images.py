"""Images for tests, as OCI layouts: written here, byte for byte known, or made from what Debian has.

    layout = Layout(tmp_path / "layout")
    layout.tag("latest", busybox(layout))
    push(layout, "latest", f"{registry.address}/busybox:latest")

``archive`` packs a layout as the tar that ``ctr images import`` and ``skopeo`` take.
"""

from __future__ import annotations

import fcntl
import gzip
import io
import json
import os
import random
import shutil
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moorage_sdk import digests, platforms
from moorage_sdk.descriptors import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_LAYER_GZIP, OCI_MANIFEST, Descriptor
from moorage_sdk.platforms import Platform
from moorage_sys import mounts, paths

BUSYBOX = Path("/bin/busybox")
CACHE = Path("/var/cache/moorage-tests")
"""Where ``debian`` keeps what takes long to make, unless ``MOORAGE_CACHE`` names another directory."""

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
"""Names of the OCI image specification, "Whiteouts"."""


@dataclass(frozen=True)
class File:
    """One entry of a layer. ``content`` of a directory is None, of a symbolic link its target with ``link`` set."""

    name: str
    content: bytes | None = b""
    mode: int = 0o644
    link: str = ""
    hardlink: bool = False
    uid: int = 0
    gid: int = 0
    mtime: int = 1_700_000_000


def directory(name: str, mode: int = 0o755) -> File:
    return File(name, None, mode)


def layer(files: Sequence[File]) -> bytes:
    """The tar of a layer, uncompressed."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for file in files:
            info = tarfile.TarInfo(file.name)
            info.mode, info.uid, info.gid, info.mtime = file.mode, file.uid, file.gid, file.mtime
            if file.link:
                info.type = tarfile.LNKTYPE if file.hardlink else tarfile.SYMTYPE
                info.linkname = file.link
                archive.addfile(info)
            elif file.content is None:
                info.type = tarfile.DIRTYPE
                archive.addfile(info)
            else:
                info.size = len(file.content)
                archive.addfile(info, io.BytesIO(file.content))
    return buffer.getvalue()


@dataclass(frozen=True)
class Image:
    """A manifest in a layout, with what it is made of."""

    manifest: Descriptor
    config: Descriptor
    layers: tuple[Descriptor, ...]
    diff_ids: tuple[str, ...]


@dataclass
class Layout:
    """An OCI image layout in ``path``, created there. ``tags`` are what its index names."""

    path: Path
    tags: dict[str, Descriptor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.path / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
        (self.path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')

    def blob(self, media_type: str, data: bytes) -> Descriptor:
        """Add a blob."""
        digest = digests.of(data)
        self.file(digest).write_bytes(data)
        return Descriptor(media_type, digest, len(data))

    def file(self, digest: str) -> Path:
        """Where a blob lies."""
        return self.path / "blobs" / "sha256" / digests.split(digest)[1]

    def read(self, descriptor: Descriptor) -> bytes:
        return self.file(descriptor.digest).read_bytes()

    def image(
        self,
        layers: Sequence[bytes],
        *,
        platform: Platform | None = None,
        config: Mapping[str, Any] | None = None,
        compressed: bool = True,
        diff_ids: Sequence[str] | None = None,
    ) -> Image:
        """Add an image of uncompressed layers, the lowest first; ``diff_ids`` may lie."""
        blobs = tuple(self._layer(data, compressed) for data in layers)
        ids = tuple(diff_ids if diff_ids is not None else [digests.of(data) for data in layers])
        where = platform or platforms.host()
        document: dict[str, Any] = {
            **_platform(where),
            "config": dict(config or {}),
            "rootfs": {"type": "layers", "diff_ids": list(ids)},
            "history": [{"created_by": "moorage testkit"} for _ in ids],
        }
        config_blob = self.blob(OCI_CONFIG, _json(document))
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": _descriptor(config_blob),
            "layers": [_descriptor(blob) for blob in blobs],
        }
        return Image(self.blob(OCI_MANIFEST, _json(manifest)), config_blob, blobs, ids)

    def index(self, images: Sequence[tuple[Image, Platform | None]]) -> Descriptor:
        """Add an index of images for platforms."""
        entries = [
            {**_descriptor(image.manifest), **({"platform": _platform(platform)} if platform else {})}
            for image, platform in images
        ]
        document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
        return self.blob(OCI_INDEX, _json(document))

    def tag(self, name: str, target: Descriptor | Image) -> None:
        """Name a manifest or index."""
        self.tags[name] = target.manifest if isinstance(target, Image) else target
        entries = [
            {**_descriptor(descriptor), "annotations": {"org.opencontainers.image.ref.name": tag}}
            for tag, descriptor in self.tags.items()
        ]
        (self.path / "index.json").write_bytes(_json({"schemaVersion": 2, "manifests": entries}))

    def _layer(self, data: bytes, compressed: bool) -> Descriptor:
        if not compressed:
            return self.blob(OCI_LAYER, data)
        return self.blob(OCI_LAYER_GZIP, gzip.compress(data, 6, mtime=0))


def busybox(layout: Layout) -> Image:
    """One layer with a static busybox and its usual names, which runs ``sh``. Needs Debian's busybox-static."""
    names = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split()
    dirs = [directory(name) for name in ("bin", "dev", "etc", "proc", "root", "sys", "usr")] + [
        directory("tmp", 0o1777)
    ]
    links = [File(f"bin/{name}", link="busybox", mode=0o777) for name in names if name != "busybox"]
    files = [
        File("bin/busybox", BUSYBOX.resolve().read_bytes(), 0o755),
        File("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"),
        File("etc/group", b"root:x:0:\nnogroup:x:65534:\n"),
    ]
    config = {"Cmd": ["sh"], "Env": ["PATH=/bin:/usr/bin:/sbin"], "WorkingDir": "/"}
    return layout.image([layer([*dirs, *files, *links])], config=config)


def layered(layout: Layout, *, payload: int = 0) -> Image:
    """Four layers: plain files, changes, whiteouts, an opaque directory. ``LAYERED`` is what must come of it.

    ``payload`` adds so many incompressible bytes to each layer.
    """
    noise = [[File(f"payload/{n}", _noise(payload, n))] if payload else [] for n in range(4)]
    stacks = [
        [directory("etc"), File("etc/keep", b"1"), File("etc/gone", b"1"), directory("opt"), File("opt/old", b"1")],
        [File("etc/keep", b"2", 0o600), directory("tmp", 0o1777), directory("srv"), File("srv/gone/deep", b"1")],
        [File(f"etc/{WHITEOUT}gone"), File(f"srv/{WHITEOUT}gone"), File("link", link="etc/keep", mode=0o777)],
        [directory("opt"), File(f"opt/{OPAQUE}"), File("opt/new", b"4"), File("hard", link="opt/new", hardlink=True)],
    ]
    return layout.image([layer(files + extra) for files, extra in zip(stacks, noise, strict=True)])


LAYERED = {"etc/keep": b"2", "opt/new": b"4", "hard": b"4", "link": b"2"}
"""Files of ``layered`` and their content; ``etc/gone``, ``srv/gone`` and ``opt/old`` must not be there."""


def multi_platform(
    layout: Layout, wanted: Sequence[str] = ("linux/amd64", "linux/arm64", "linux/arm/v7")
) -> Descriptor:
    """An index of images with one file ``platform`` that says which it is."""
    found = []
    for name in wanted:
        platform = platforms.parse(name)
        found.append((layout.image([layer([File("platform", name.encode())])], platform=platform), platform))
    return layout.index(found)


def debian(layout: Layout, cache: Path | None = None, *, suite: str = "bookworm", mirror: str = "") -> Image:
    """Debian's minbase, about 10000 entries. Bootstrapping takes a minute as root; ``cache`` keeps the tar for ever.

    Who comes while another one bootstraps waits for it. Raises RuntimeError with the last words of debootstrap.
    """
    cache = cache or Path(os.environ.get("MOORAGE_CACHE") or CACHE)
    cache.mkdir(parents=True, exist_ok=True)
    tar = cache / f"minbase-{suite}.tar"
    with open(cache / f"minbase-{suite}.lock", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not tar.exists():
            _bootstrap(tar, suite, mirror)
    return layout.image([tar.read_bytes()], config={"Cmd": ["bash"], "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]})


def _bootstrap(tar: Path, suite: str, mirror: str) -> None:
    root, part = tar.with_suffix(".root"), tar.with_suffix(".part")
    _remove(root)  # of one that was killed
    try:
        # Nobody needs a half-made root after a crash, so dpkg need not wait for the disk.
        _run("debootstrap", "--variant=minbase", suite, str(root), *filter(None, [mirror]), DPKG_FORCE="unsafe-io")
        shutil.rmtree(root / "var" / "cache" / "apt", ignore_errors=True)
        _run("tar", "--sort=name", "--numeric-owner", "--xattrs", "-C", str(root), "-cf", str(part), ".")
        part.rename(tar)
    finally:
        _remove(root)


def _remove(root: Path) -> None:
    """debootstrap has /proc and /sys mounted in it while it works."""
    if root.exists():
        mounts.unmount_recursive(root)
        paths.remove_tree(root)


def push(layout: Layout, tag: str, reference: str, *, credentials: str = "") -> None:
    """Copy an image, or all of an index, to a registry on loopback. ``credentials`` is ``user:password``."""
    login = ["--dest-creds", credentials] if credentials else []
    _run(
        *("skopeo", "--insecure-policy", "copy", "--all", "--preserve-digests", "--dest-tls-verify=false", "-q"),
        *(*login, f"oci:{layout.path}:{tag}", f"docker://{reference}"),
    )


def archive(layout: Layout, path: Path) -> Path:
    """The layout as one tar file."""
    with tarfile.open(path, "w") as tar:
        for name in ("oci-layout", "index.json", "blobs"):
            tar.add(layout.path / name, name)
    return path


def _run(*command: str, **env: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **env})
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {(done.stderr or done.stdout)[-2000:].strip()}")


def _noise(size: int, seed: int) -> bytes:
    """Bytes that do not compress and are the same every time."""
    return random.Random(seed).randbytes(size)


def _platform(platform: Platform) -> dict[str, str]:
    parts = {"architecture": platform.architecture, "os": platform.os, "variant": platform.variant}
    return {key: value for key, value in parts.items() if value}


def _descriptor(descriptor: Descriptor) -> dict[str, Any]:
    return {"mediaType": descriptor.media_type, "digest": descriptor.digest, "size": descriptor.size}


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
