"""Sources, destinations and stream messages of transfers (containerd.types.transfer)."""

from moorage_api import definitions

__getattr__, __dir__ = definitions.module(__name__)
