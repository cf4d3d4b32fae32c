"""The mounts service, call by call beside a containerd that has it (2.2)."""

from __future__ import annotations

from typing import Any

MOUNTS = "mounts"
BIND = {"type": "bind", "source": "/usr", "options": ["rbind", "ro"]}
LAST = {"type": "format/bind", "source": "{{ mount 0 }}", "options": ["rbind"]}


def test_life(same: Any) -> None:
    async def play(scene: Any) -> None:
        await scene(MOUNTS, "List", "none")
        await scene(MOUNTS, "Activate", "a", name="a", mounts=[BIND, LAST], labels={"k": "v"})
        await scene(MOUNTS, "Activate", "a again", name="a", mounts=[BIND, LAST])
        await scene(MOUNTS, "Activate", "b for a while", name="b", mounts=[BIND], temporary=True)
        await scene(MOUNTS, "Info", "a", name="a")
        await scene(MOUNTS, "List", "both")
        await scene(MOUNTS, "List", "filtered", filters=["name==a"])
        await scene(MOUNTS, "List", "filtered badly", filters=["name=="])
        await scene(MOUNTS, "Update", "a", info={"name": "a", "labels": {"k": "w"}})
        await scene(MOUNTS, "Deactivate", "a", name="a")
        await scene(MOUNTS, "Deactivate", "a again", name="a")
        await scene(MOUNTS, "Info", "a gone", name="a")
        await scene(MOUNTS, "Deactivate", "b", name="b")
        await scene(MOUNTS, "List", "none left")

    same(play, since=(2, 2))


def test_mistakes(same: Any) -> None:
    async def play(scene: Any) -> None:
        for namespace in ("", "-x"):
            await scene(MOUNTS, "Activate", namespace, ns=namespace, name="a", mounts=[BIND, LAST])
            await scene(MOUNTS, "Deactivate", namespace, ns=namespace, name="a")
            await scene(MOUNTS, "Info", namespace, ns=namespace, name="a")
            await scene(MOUNTS, "List", namespace, ns=namespace)
        await scene(MOUNTS, "Activate", "nothing to mount", name="a")
        await scene(MOUNTS, "Activate", "nothing to do", name="a", mounts=[BIND])
        await scene(MOUNTS, "Activate", "an unknown transformation", name="a", mounts=[{"type": "zip/overlay"}])
        await scene(MOUNTS, "Info", "no name")
        await scene(MOUNTS, "Deactivate", "no name")
        await scene(MOUNTS, "Update", "nothing")

    same(play, since=(2, 2))
