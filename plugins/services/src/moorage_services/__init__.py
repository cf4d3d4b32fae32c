"""containerd's services. ``calls`` and ``pools`` are the ground they stand on, then one file per service."""
