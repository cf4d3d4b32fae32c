"""Layers to directories and back (``plugins/diff/walking``, ``pkg/archive`` and ``core/diff/apply`` in containerd)."""
