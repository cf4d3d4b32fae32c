"""The microkernel of moorage: configuration, discovery, order, life and death of plugins. Imported by nobody.

Read in this order: ``settings`` (what is wanted), ``discovery`` (what is installed), ``graphs`` (in which order),
``lifecycles`` (how each fares), ``daemons`` (the process around it).
"""

VERSION = "0.1.0"

COMPATIBLE = "2.3.4"
"""The containerd release whose wire and configuration this is."""
