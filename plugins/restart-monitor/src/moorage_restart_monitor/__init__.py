"""Restart policies. ``policies`` decides, ``paces`` puts off, ``tasks`` acts, ``monitors`` brings them together."""
