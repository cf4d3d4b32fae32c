"""What a container is, as an OCI runtime specification: the one place that decides how it is kept in.

``specs.build`` makes the document from an image's ``configs.Config``, a person's ``settings.Settings`` and the facts of
the host. Parts of it stand alone: ``users`` and ``volumes`` read what people type, ``seccomp`` is the default profile
and ``confinements`` what else ``--security-opt`` may say, ``sysctls`` and ``annotations`` let through what is harmless,
``working_dirs`` refuses what is not.
"""
