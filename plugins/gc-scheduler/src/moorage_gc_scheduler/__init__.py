"""When garbage is collected. ``schedulers.Scheduler`` is the slot's implementation; ``plugin`` registers it."""
