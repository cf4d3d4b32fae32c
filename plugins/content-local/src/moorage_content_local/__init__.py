"""Blobs in a directory of the host, laid out as containerd's (``plugins/content/local`` there)."""
