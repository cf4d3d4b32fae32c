"""Snapshots as full copies of directories (``plugins/snapshots/native`` in containerd)."""
