"""What this distribution owns at the top of the configuration file (a module of ``moorage.config``)."""

TABLES = ("proxy_plugins",)
