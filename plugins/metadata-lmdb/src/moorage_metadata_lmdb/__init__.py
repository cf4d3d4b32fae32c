"""Metadata in LMDB. ``databases.Database`` is the slot's implementation; ``plugin`` registers it."""
