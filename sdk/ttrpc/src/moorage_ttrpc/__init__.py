"""ttrpc on asyncio, usable by itself.

``frames`` and ``messages`` are the wire as values and pure functions, ``connections`` moves frames over a socket,
``clients`` and ``servers`` are the two roles, ``methods`` binds typed handlers to a service, ``statuses`` maps errors
to codes and back, ``sockets`` and ``peers`` own the unix socket and the question who may speak on it.
"""
