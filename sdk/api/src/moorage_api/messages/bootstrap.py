"""What a shim reads when it is started and what it answers (containerd.runtime.bootstrap.v1)."""

from moorage_api import definitions

__getattr__, __dir__ = definitions.module(__name__)
