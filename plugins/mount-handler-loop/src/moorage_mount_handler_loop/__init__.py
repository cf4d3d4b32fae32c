"""Files as block devices (``core/mount/loopback_handler_linux.go`` in containerd)."""
