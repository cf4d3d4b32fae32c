"""Snapshots as directories of overlayfs (``plugins/snapshots/overlay`` in containerd)."""
