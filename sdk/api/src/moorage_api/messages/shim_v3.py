"""The task API of shims, version 3 (containerd.task.v3)."""

from moorage_api import definitions

__getattr__, __dir__ = definitions.module(__name__)
