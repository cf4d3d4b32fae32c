"""The one door to the Linux kernel.

Functions take descriptors and plain values, raise ``OSError`` with the kernel's errno and the path concerned, and raise
``moorage_sdk.errors`` only where they judge their arguments themselves.
"""
