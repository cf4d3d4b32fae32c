"""The node monitor and the plugin that starts it.

``monitor`` is the process and ``monitors`` what it is made of: ``services`` answers containerd's Task API, ``tasks``
knows every container, ``containers`` and ``processes`` are the life of one and ``exits`` its end, ``creations`` and
``execs`` bring them about by ``runtimes`` (runc or crun). ``reapers`` learns of exits; ``openings``, ``streams``,
``flows``, ``pumps``, ``consoles`` and ``loggers`` own stdio, ``log_writers`` with ``spools``, ``entries`` and
``log_files`` write logs, ``reopenings`` finds it all again; ``publishers`` and ``journals`` carry events on,
``records`` and ``adoptions`` make a restart harmless, together with what ``deposits`` puts into the daemon's hands
(``escrows``) and comes back by ``inheritances``. ``plugin``, ``placements``, ``inspections``, ``supervisors`` and
``custodies`` are the daemon's side, ``shims`` and ``starts`` that of a containerd that is not ours.
"""
