"""Activations of mounts (``core/mount/manager`` in containerd)."""
