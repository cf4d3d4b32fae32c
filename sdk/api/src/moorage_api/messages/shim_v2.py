"""The task API of shims, version 2 (containerd.task.v2)."""

from moorage_api import definitions

__getattr__, __dir__ = definitions.module(__name__)
