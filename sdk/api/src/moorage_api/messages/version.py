"""Version of the daemon (containerd.services.version.v1)."""

from moorage_api import definitions

__getattr__, __dir__ = definitions.module(__name__)
