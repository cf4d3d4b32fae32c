"""An error as a message (google.rpc)."""

from moorage_api import definitions

__getattr__, __dir__ = definitions.module(__name__)
