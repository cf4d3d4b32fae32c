"""Values of ``moorage_sdk`` to messages and back, one module per kind of value."""
