"""What containerd's configuration files and command line have beyond the plugins of moorage."""
