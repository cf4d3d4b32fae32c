"""Payloads of events (containerd.events); those about images are in ``images``."""

from moorage_api import definitions

__getattr__, __dir__ = definitions.module(__name__)
