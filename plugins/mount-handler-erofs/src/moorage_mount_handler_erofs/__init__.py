"""Mounts of erofs (``plugins/mount/erofs`` in containerd)."""
