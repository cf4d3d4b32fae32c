"""Implementations of slots in a few lines, which pass the same suites as the real ones."""
