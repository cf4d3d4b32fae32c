"""Events as log records or JSON lines. ``sinks`` holds both; ``plugin`` registers them."""
