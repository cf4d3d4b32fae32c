"""Resource use under cgroup v2 (io.containerd.cgroups.v2)."""

from moorage_api import definitions

__getattr__, __dir__ = definitions.module(__name__)
