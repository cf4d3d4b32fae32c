"""``[proxy_plugins]``: slots filled by other processes over gRPC."""
