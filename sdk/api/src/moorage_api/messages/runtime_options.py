"""Options for runtimes with a configuration file of their own (runtimeoptions.v1)."""

from moorage_api import definitions

__getattr__, __dir__ = definitions.module(__name__)
