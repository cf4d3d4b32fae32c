"""Image records, and the events about them (containerd.services.images.v1)."""

from moorage_api import definitions

__getattr__, __dir__ = definitions.module(__name__)
