"""Garbage collection explained and run (moorage.services.gc.v1)."""

from moorage_api import definitions

__getattr__, __dir__ = definitions.module(__name__)
