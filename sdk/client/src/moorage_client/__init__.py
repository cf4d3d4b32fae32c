"""A typed asyncio client of the containerd API.

``clients.connect`` opens a connection; the ``Client`` it yields has one attribute per service. Modules without a
service build what the services take: ``references``, ``specs``, ``users``, ``stdios``, ``archives``, ``unpacks``.
"""
