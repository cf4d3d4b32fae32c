"""The node monitor and the plugin that starts it.

``monitor`` is the process: ``services`` answers containerd's Task API, ``tasks`` knows every container, ``containers``
and ``processes`` are the life of one, ``creations`` and ``execs`` bring them about through ``runtimes`` (runc or crun),
``reapers`` learns of exits, ``streams``, ``pumps``, ``consoles`` and ``loggers`` own stdio, ``publishers`` and
``journals`` carry events to the daemon, ``records`` and ``adoptions`` make a restart harmless. ``plugin`` is the
daemon's side.
"""
