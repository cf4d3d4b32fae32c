"""Types that several services share (containerd.types)."""

from moorage_api import definitions

__getattr__, __dir__ = definitions.module(__name__)
