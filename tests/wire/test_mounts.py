"""The mounts service: activations of chains of mounts, on our daemon and on a containerd that has it (2.2)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from moorage_client.clients import connect
from moorage_sdk import digests, errors
from moorage_sdk.descriptors import OCI_LAYER, Descriptor
from moorage_sdk.mounts import Mount
from moorage_sys import mountinfo, mounts
from moorage_testkit import images
from moorage_testkit.daemons import wait_until

KEEPER = "mounts"
"""The lease of what is activated, lest a collection takes it that an earlier test gave rise to."""
MKFS = "X-containerd.mkfs."
MKDIR = "X-containerd.mkdir.path="
ours = pytest.mark.parametrize("both", ["moorage"], indirect=True)
needs_mkfs = pytest.mark.skipif(not shutil.which("mkfs.ext4", path="/usr/sbin:/sbin"), reason="no mkfs.ext4 here")


@pytest.fixture
def known(both: Any) -> Any:
    """Both, but for a containerd that is too old."""
    heard: list[str] = []

    async def ask(client: Any) -> None:
        heard.append(await client.verdict("mounts", "List"))
        await client.verdict("leases", "Create", {"id": KEEPER})

    both.run(ask)
    if both.containerd and heard == ["Unimplemented"]:
        pytest.skip("this containerd does not know the service")
    return both


@pytest.fixture
def folder(known: Any, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A fresh folder beneath the daemon's root, where it may make things."""
    made = Path(known.daemon.root, f"test-{request.node.originalname}")
    made.mkdir()
    yield made
    shutil.rmtree(made)


@pytest.fixture(autouse=True)
def nothing_is_left(known: Any) -> Iterator[None]:
    """What was activated is deactivated in the end, and leaves neither mounts nor devices."""

    async def end(client: Any) -> None:
        for message in await client.ask("mounts", "List"):
            await client.ask("mounts", "Deactivate", {"name": message.info.name})

    yield
    known.run(end)
    # What a collection is about to remove is not listed any more, and may still be there for a moment.
    wait_until(lambda: not mounted(known) and not attached(known))


def mounted(wire: Any) -> list[str]:
    """What the manager has mounted."""
    found = mountinfo.beneath(str(wire.daemon.state))
    return [entry.mount_point for entry in found if "mount-manager" in entry.mount_point]


def attached(wire: Any) -> list[str]:
    """Files of the daemon that are loop devices."""
    files = []
    for file in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            files.append(file.read_text().strip())
        except FileNotFoundError:
            continue
    return [file for file in files if file.startswith(str(wire.daemon.root))]


def plan(*planned: Mount) -> list[dict[str, Any]]:
    return [
        {"type": each.type, "source": each.source, "target": each.target, "options": each.options} for each in planned
    ]


def values(messages: Any) -> list[Mount]:
    return [Mount(each.type, each.source, tuple(each.options), each.target) for each in messages]


def tree(folder: Path, name: str, content: str = "") -> Mount:
    (folder / name).mkdir()
    (folder / name / "file").write_text(content or name)
    return Mount("bind", str(folder / name), ("rbind", "ro"))


async def activate(client: Any, name: str, *planned: Mount, lease: str = KEEPER, **fields: Any) -> Any:
    request = {"name": name, "mounts": plan(*planned), **fields}
    return (await client.ask("mounts", "Activate", request, lease=lease)).info


def looked_into(system: Any, place: Path, look: Callable[[Path], None]) -> None:
    """Do what a runtime does with what is left to it."""
    place.mkdir()
    mounts.mount_all(values(system), place)
    try:
        look(place)
    finally:
        mounts.unmount_recursive(place)


def test_there_is_nothing_at_first(known: Any) -> None:
    async def run(client: Any) -> None:
        assert await client.ask("mounts", "List") == []

    known.run(run)


def test_what_the_kernel_can_do_is_not_activated(known: Any, folder: Path) -> None:
    bind = tree(folder, "a")

    async def run(client: Any) -> None:
        for planned in ([], [bind], [bind, Mount("overlay", "overlay", ("lowerdir=/a",))], [Mount("zip/overlay", "x")]):
            with pytest.raises(errors.Unimplemented, match=r"not implemented$"):
                await activate(client, "plain", *planned)

    known.run(run)


def test_mistakes(known: Any, folder: Path) -> None:
    bind = tree(folder, "a")

    async def run(client: Any) -> None:
        ask = {"name": "x", "mounts": plan(bind), "temporary": True}
        for method, request in (
            ("Activate", ask),
            ("Deactivate", {"name": "x"}),
            ("Info", {"name": "x"}),
            ("List", {}),
        ):
            assert await client.verdict("mounts", method, request, namespace="") == "FailedPrecondition", method
            assert await client.verdict("mounts", method, request, namespace="-x") == "InvalidArgument", method
        for method in ("Deactivate", "Info"):
            with pytest.raises(errors.NotFound, match=r"not found$"):
                await client.ask("mounts", method, {"name": "absent"})
        with pytest.raises(errors.Unimplemented, match=r"not implemented$"):
            await client.ask("mounts", "Update", {"info": {"name": "absent", "labels": {"a": "b"}}})

    known.run(run)


@ours
def test_a_null_byte_is_a_mistake_of_the_client(known: Any, folder: Path) -> None:
    """It was one of ours, with Python's words for it, and a stack in the log."""
    bind, odd = tree(folder, "a"), Mount("bind", "/tmp", ("rbind", "a\0b"))

    async def run(client: Any) -> None:
        for service, method, request in (
            ("mounts", "Activate", {"name": "x", "mounts": plan(bind, odd), "temporary": True}),
            ("diff", "Diff", {"left": plan(odd), "right": plan(bind)}),
            ("diff", "Diff", {"left": plan(bind), "right": plan(odd)}),
        ):
            with pytest.raises(errors.InvalidArgument, match=r"null byte: invalid argument$"):
                await client.ask(service, method, request)

    known.run(run)
    assert not mounted(known)


def test_a_life(known: Any, folder: Path) -> None:
    bind = tree(folder, "a", "hello")
    overlay = Mount("format/overlay", "overlay", ("lowerdir={{ mount 0 }}:{{ source 0 }}",))

    async def run(client: Any) -> None:
        done = await activate(client, "life", bind, overlay, labels={"a": "b"})
        assert (done.name, dict(done.labels)) == ("life", {"a": "b"})
        (active,) = done.active
        assert active.mount.type == "bind"
        assert active.mounted_at.seconds > 0
        assert mounted(known) == [active.mount_point]
        assert Path(active.mount_point, "file").read_text() == "hello"
        lower = f"lowerdir={active.mount_point}:{bind.source}"
        assert values(done.system) == [Mount("overlay", "overlay", (lower,))]

        with pytest.raises(errors.AlreadyExists, match=r"already exists$"):
            await activate(client, "life", bind, overlay)
        assert mounted(known) == [active.mount_point]

        found = (await client.ask("mounts", "Info", {"name": "life"})).info
        assert (found.name, dict(found.labels)) == ("life", {"a": "b"})
        assert values(found.system) == values(done.system)
        assert [(each.mount.type, each.mount_point, each.mounted_at) for each in found.active] == [
            ("bind", active.mount_point, active.mounted_at)
        ]
        assert [message.info for message in await client.ask("mounts", "List")] == [found]
        assert await client.ask("mounts", "List", namespace="wire-other") == []
        assert await client.verdict("mounts", "Info", {"name": "life"}, namespace="wire-other") == "NotFound"

        await client.ask("mounts", "Deactivate", {"name": "life"})
        assert await client.verdict("mounts", "Deactivate", {"name": "life"}) == "NotFound"
        assert mounted(known) == []
        assert not Path(active.mount_point).exists()

    known.run(run)


def test_names_belong_to_a_namespace(known: Any, folder: Path) -> None:
    bind = tree(folder, "a")

    async def run(client: Any) -> None:
        request = {"name": "same", "mounts": plan(bind), "temporary": True}
        await client.ask("mounts", "Activate", request, lease=KEEPER)
        await client.ask("leases", "Create", {"id": KEEPER}, namespace="wire-other")
        await client.ask("mounts", "Activate", request, namespace="wire-other", lease=KEEPER)
        await client.ask("mounts", "Deactivate", {"name": "same"}, namespace="wire-other")
        await client.ask("leases", "Delete", {"id": KEEPER}, namespace="wire-other")
        assert await client.verdict("mounts", "Info", {"name": "same"}) == "OK"

    known.run(run)


@pytest.mark.parametrize(
    ("both", "kind"), [("moorage", ""), ("moorage", "format/"), ("containerd", "")], indirect=["both"]
)
def test_for_a_while(known: Any, folder: Path, kind: str) -> None:
    """One bind mount of the last, and everything is performed: what ``ctr images mount`` asks for.

    A transformed mount at the end of such a list ends containerd 2.4 with an index out of range.
    """
    lower = [tree(folder, name) for name in ("one", "two")]
    for name in ("upper", "work"):
        (folder / name).mkdir()
    below = "{{ overlay 1 0 }}" if kind else f"{folder}/two:{folder}/one"
    dirs = (f"lowerdir={below}", f"upperdir={folder}/upper", f"workdir={folder}/work")

    def look(place: Path) -> None:
        assert (place / "file").read_text() == "two"
        (place / "new").touch()

    async def run(client: Any) -> None:
        done = await activate(client, "while", *lower, Mount(f"{kind}overlay", "overlay", dirs), temporary=True)
        points = [each.mount_point for each in done.active]
        assert [each.mount.type for each in done.active] == ["bind", "bind", "overlay"]
        assert values(done.system) == [Mount("bind", points[2], ("rbind",))]
        looked_into(done.system, folder / "place", look)
        assert (folder / "upper/new").exists()

    known.run(run)


@needs_mkfs
def test_a_disk_that_is_made_for_it(known: Any, folder: Path) -> None:
    """A writable layer in a file of its own: file system, directories in it, and an overlay of both for the runtime."""
    lower = tree(folder, "lower", "hello")
    disk = Mount("mkfs/ext4", f"{folder}/disk.img", ("loop", f"{MKFS}size=16MiB", f"{MKFS}fs=ext4"))
    options = (
        f"{MKDIR}{{{{ mount 1 }}}}/upper:0755",
        f"{MKDIR}{{{{ mount 1 }}}}/work:0755",
        "lowerdir={{ mount 0 }}",
        "upperdir={{ mount 1 }}/upper",
        "workdir={{ mount 1 }}/work",
    )

    def look(place: Path) -> None:
        assert (place / "file").read_text() == "hello"
        (place / "kept").write_text("on the disk")

    async def run(client: Any) -> None:
        for turn in range(2):
            done = await activate(client, "disk", lower, disk, Mount("format/mkdir/overlay", "overlay", options))
            assert [each.mount.type for each in done.active] == ["bind", "ext4"]
            assert attached(known) == [f"{folder}/disk.img"]
            point = done.active[1].mount_point
            assert values(done.system) == [
                Mount(
                    "overlay",
                    "overlay",
                    (f"lowerdir={done.active[0].mount_point}", f"upperdir={point}/upper", f"workdir={point}/work"),
                )
            ]
            assert Path(point, "upper/kept").exists() == bool(turn)
            looked_into(done.system, folder / f"place{turn}", look)
            await client.ask("mounts", "Deactivate", {"name": "disk"})
            assert attached(known) == []
        assert Path(folder, "disk.img").stat().st_size == 16 << 20

    known.run(run)


@pytest.mark.parametrize(
    "wrong",
    [
        Mount("format/bind", "{{ mount 7 }}"),
        Mount("format/bind", "{{ nothing }}"),
        Mount("mkdir/bind", "/a", ("X-containerd.mkdir.mode=1",)),
        Mount("mkdir/bind", "/a", (f"{MKDIR}/etc/moorage-test",)),
        Mount("mkdir/bind", "/a", (f"{MKDIR}{{root}}/x:0755:1",)),
        Mount("mkfs/ext4", "/etc/moorage-test", (f"{MKFS}size=1MiB",)),
        Mount("mkfs/ext4", "{root}/disk.img", ("loop",)),
        Mount("mkfs/ext4", "{root}/disk.img", (f"{MKFS}size=many",)),
        Mount("mkfs/ext4", "{root}/disk.img", (f"{MKFS}size=1MiB", f"{MKFS}fs=vfat")),
        Mount("mkfs/ext4", "{root}/disk.img", (f"{MKFS}size=1MiB", f"{MKFS}label=x")),
        Mount("bind", "/absent", ("rbind",)),
        Mount("nonesuch", "/absent"),
    ],
)
def test_what_goes_wrong_leaves_nothing(known: Any, folder: Path, wrong: Mount) -> None:
    source = wrong.source.replace("{root}", str(folder))
    options = tuple(option.replace("{root}", str(folder)) for option in wrong.options)
    bind = tree(folder, "a")
    behind = Mount("format/bind", "{{ mount 0 }}", ("rbind",))

    async def run(client: Any) -> None:
        with pytest.raises(errors.Error) as caught:
            await activate(client, "wrong", bind, Mount(wrong.type, source, options), behind)
        assert not isinstance(caught.value, errors.AlreadyExists)
        assert await client.ask("mounts", "List") == []
        assert mounted(known) == []
        assert not Path("/etc/moorage-test").exists()
        await activate(client, "wrong", bind, behind)

    known.run(run)


def test_what_is_made_lies_beneath_the_root_and_is_no_link(known: Any, folder: Path) -> None:
    (folder / "out").symlink_to("/tmp")
    bind = Mount("mkdir/bind", "/a", (f"{MKDIR}{folder}/out/moorage-escape",))
    up = Mount("mkdir/bind", "/a", (f"{MKDIR}{folder}/../../../../../tmp/moorage-escape",))

    async def run(client: Any) -> None:
        for wrong in (bind, up):
            assert await client.verdict("mounts", "Activate", {"name": "e", "mounts": plan(wrong)}) != "OK"
            assert not Path("/tmp/moorage-escape").exists()

    known.run(run)


async def collect(client: Any) -> None:
    """A synchronous collection, by a lease that nobody needs."""
    await client.ask("leases", "Create", {"id": "collect"})
    await client.ask("leases", "Delete", {"id": "collect", "sync": True})


async def names(client: Any) -> list[str]:
    return [message.info.name for message in await client.ask("mounts", "List")]


def test_a_lease_keeps_it_and_takes_it_along(known: Any, folder: Path) -> None:
    bind = tree(folder, "a")

    async def run(client: Any) -> None:
        await client.ask("leases", "Create", {"id": "keeper"})
        await activate(client, "kept", bind, temporary=True, lease="keeper")
        await activate(client, "stray", bind, temporary=True, lease="")
        await collect(client)
        assert await names(client) == ["kept"]
        held = await client.ask("leases", "ListResources", {"id": "keeper"})
        assert list(held.resources) == [], "containerd does not show them"
        await client.ask("leases", "Delete", {"id": "keeper", "sync": True})
        assert await names(client) == []
        assert mounted(known) == []

    known.run(run)


def test_a_back_reference_keeps_it(known: Any, folder: Path) -> None:
    bind = tree(folder, "a")
    container = {"id": "owner", "runtime": {"name": "r"}, "spec": {"type_url": "t", "value": b"{}"}}

    async def run(client: Any) -> None:
        await client.ask("containers", "Create", {"container": container})
        labels = {"containerd.io/gc.bref.container": "owner"}
        await activate(client, "kept", bind, temporary=True, lease="", labels=labels)
        await activate(
            client, "stray", bind, temporary=True, lease="", labels={"containerd.io/gc.bref.container": "absent"}
        )
        await collect(client)
        assert await names(client) == ["kept"]
        await client.ask("containers", "Delete", {"id": "owner"})
        await collect(client)
        assert await names(client) == []
        assert mounted(known) == []

    known.run(run)


def test_a_label_of_something_that_lives_keeps_it(known: Any, folder: Path) -> None:
    bind = tree(folder, "a")
    container = {"id": "owner", "runtime": {"name": "r"}, "spec": {"type_url": "t", "value": b"{}"}}

    async def run(client: Any) -> None:
        labels = {"containerd.io/gc.ref.mount.rootfs": "kept"}
        await client.ask("containers", "Create", {"container": {**container, "labels": labels}})
        await activate(client, "kept", bind, temporary=True, lease="")
        await collect(client)
        assert await names(client) == ["kept"]
        await client.ask("containers", "Delete", {"id": "owner"})
        await collect(client)
        assert await names(client) == []

    known.run(run)


def test_a_restart_forgets_nothing(known: Any, folder: Path) -> None:
    bind = tree(folder, "a")
    overlay = Mount("format/overlay", "overlay", ("lowerdir={{ mount 0 }}",))
    before: list[Any] = []

    async def start(client: Any) -> None:
        await client.ask("leases", "Create", {"id": "keeper"})
        await activate(client, "kept", bind, overlay, lease="keeper")
        before.append((await client.ask("mounts", "Info", {"name": "kept"})).info)

    async def after(client: Any) -> None:
        assert (await client.ask("mounts", "Info", {"name": "kept"})).info == before[0]
        assert mounted(known) == [before[0].active[0].mount_point]
        await client.ask("mounts", "Deactivate", {"name": "kept"})
        await client.ask("leases", "Delete", {"id": "keeper"})

    known.run(start)
    known.daemon.restart()
    known.run(after)


@ours
def test_loop_devices(known: Any, folder: Path) -> None:
    """Ours alone: containerd documents the type, and has its handler in no daemon (2.4)."""
    (folder / "disk.img").write_bytes(b"hello".ljust(1 << 20, b"\0"))

    async def run(client: Any) -> None:
        done = await activate(client, "loop", Mount("loop", f"{folder}/disk.img", ("ro",)))
        (active,) = done.active
        assert list(done.system) == []
        assert Path(active.mount_point).is_block_device()
        assert os.path.realpath(active.mount_point).startswith("/dev/loop")
        with open(active.mount_point, "rb") as device:
            assert device.read(5) == b"hello"
        assert attached(known) == [f"{folder}/disk.img"]
        await client.ask("mounts", "Deactivate", {"name": "loop"})
        assert attached(known) == []

    known.run(run)


def bundle(folder: Path, script: str) -> dict[str, Any]:
    """A container of busybox whose root file system the daemon mounts; what is made is its record."""
    subprocess.run(["runc", "spec"], cwd=folder, check=True)
    spec = json.loads((folder / "config.json").read_text())
    spec["root"] = {"path": "rootfs", "readonly": False}
    spec["process"] |= {"terminal": False, "args": ["sh", "-c", script]}
    spec["linux"]["cgroupsPath"] = f"/moorage-wire-mounts-{os.getpid()}"
    value = json.dumps(spec).encode()
    return {
        "id": "mounted",
        "runtime": {"name": "io.containerd.runc.v2"},
        "spec": {"type_url": "types.containerd.io/opencontainers/runtime-spec/1/Spec", "value": value},
    }


def busybox(folder: Path) -> Mount:
    (folder / "lower/bin").mkdir(parents=True)
    shutil.copy("/bin/busybox", folder / "lower/bin/busybox")
    (folder / "lower/bin/sh").symlink_to("busybox")
    return Mount("bind", str(folder / "lower"), ("rbind", "ro"))


def rootfs(folder: Path) -> list[Mount]:
    """A writable layer in a file that is made for it."""
    options = (f"{MKDIR}{{{{ mount 1 }}}}/upper:0755", f"{MKDIR}{{{{ mount 1 }}}}/work:0755")
    dirs = ("lowerdir={{ mount 0 }}", "upperdir={{ mount 1 }}/upper", "workdir={{ mount 1 }}/work")
    return [
        busybox(folder),
        Mount("mkfs/ext4", f"{folder}/disk.img", ("loop", f"{MKFS}size=16MiB")),
        Mount("format/mkdir/overlay", "overlay", (*options, *dirs)),
    ]


needs_runc = pytest.mark.skipif(not (shutil.which("runc") and Path("/bin/busybox").exists()), reason="needs runc")


@needs_mkfs
@needs_runc
def test_a_task_lives_on_what_is_activated_for_it(known: Any, folder: Path) -> None:
    async def run(client: Any) -> None:
        container = bundle(folder, "echo hello > /kept; exit 7")
        await client.ask("containers", "Create", {"container": container})
        request = {"container_id": "mounted", "rootfs": plan(*rootfs(folder))}
        for turn in range(2):
            await client.ask("tasks", "Create", request)
            found = (await client.ask("mounts", "Info", {"name": "mounted"})).info
            assert [each.mount.type for each in found.active] == ["bind", "ext4"]
            assert dict(found.labels) == {"containerd.io/gc.bref.container": "mounted"}
            assert Path(found.active[1].mount_point, "upper/kept").exists() == bool(turn)
            assert await client.verdict("tasks", "Create", request) == "AlreadyExists"
            assert attached(known) == [f"{folder}/disk.img"]
            await collect(client)
            assert await names(client) == ["mounted"]
            await client.ask("tasks", "Start", {"container_id": "mounted"})
            assert (await client.ask("tasks", "Wait", {"container_id": "mounted"})).exit_status == 7
            await client.ask("tasks", "Delete", {"container_id": "mounted"})
            assert await names(client) == []
            assert (mounted(known), attached(known)) == ([], [])
        await client.ask("containers", "Delete", {"id": "mounted"})

    known.run(run)


@needs_mkfs
@needs_runc
def test_a_task_that_cannot_be_created_leaves_nothing(known: Any, folder: Path) -> None:
    async def run(client: Any) -> None:
        container = bundle(folder, "true")
        spec = json.loads(container["spec"]["value"])
        spec["process"]["args"] = ["/nonesuch"]
        container["spec"]["value"] = json.dumps(spec).encode()
        await client.ask("containers", "Create", {"container": container})
        wrong = Mount("format/overlay", "overlay", ("lowerdir={{ mount 9 }}",))
        base = rootfs(folder)
        for planned in (base, [base[0], wrong]):
            request = {"container_id": "mounted", "rootfs": plan(*planned)}
            assert await client.verdict("tasks", "Create", request) not in ("OK", "AlreadyExists")
            assert await names(client) == []
            assert (mounted(known), attached(known)) == ([], [])
        await client.ask("containers", "Delete", {"id": "mounted"})

    known.run(run)


@needs_mkfs
def test_layers_are_unpacked_onto_chains(known: Any, folder: Path) -> None:
    """A differ activates what it gets, and leaves nothing; the next activation finds the files."""
    layer = images.layer([images.File("hello", b"from a layer")])
    digest = digests.of(layer)
    disk = Mount("mkfs/ext4", f"{folder}/disk.img", ("loop", f"{MKFS}size=16MiB"))
    chain = [disk, Mount("format/bind", "{{ mount 0 }}", ("rbind",))]

    async def run(client: Any) -> None:
        async with connect(known.daemon.address, "wire") as typed:
            async with typed.contents.writer("layer", size=len(layer), expected=digest) as writer:
                await writer.write(layer)
                await writer.commit(labels={"containerd.io/gc.root": "test"})
            applied = await typed.diffs.apply(Descriptor(OCI_LAYER, digest, len(layer)), chain)
            assert applied.digest == digest
            assert await names(client) == []
            assert (mounted(known), attached(known)) == ([], [])
            done = await activate(client, "look", *chain)
            assert Path(done.active[0].mount_point, "hello").read_bytes() == b"from a layer"
            await typed.contents.delete(digest)

    known.run(run)
