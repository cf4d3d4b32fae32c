"""The gRPC servers: a unix socket for everybody who may have it, and TCP with TLS when it is asked for."""
