"""What a shim that runs sandboxes serves (containerd.runtime.sandbox.v1)."""

from moorage_api import definitions

__getattr__, __dir__ = definitions.module(__name__)
