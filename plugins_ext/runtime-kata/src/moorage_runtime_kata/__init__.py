"""Kata Containers. ``presets`` fills the slot with what ``permits``, ``options`` and ``layers`` know."""
