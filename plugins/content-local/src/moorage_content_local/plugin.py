"""Registration in the slot ``content``."""

from __future__ import annotations

from moorage_content_local.stores import LocalStore
from moorage_sdk.content import CONTENT, ContentStore
from moorage_sdk.slots import InitContext, NoConfig, Plugin


def make(ctx: InitContext, config: NoConfig) -> ContentStore:
    ctx.export("root", str(ctx.root))
    return LocalStore(ctx.root)


plugin = Plugin(CONTENT, "local", make, uri_override="io.containerd.content.v1.content")
