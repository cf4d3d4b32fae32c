"""The exchange of events. ``exchanges.Broadcast`` is the slot's implementation; ``plugin`` registers it."""
