"""The gRPC servers: a unix socket for everybody who may have it, and TCP with TLS when it is asked for."""

import os

from moorage_server_grpc import environments

environments.prepare(os.environ)  # here, for grpc reads it when it is imported, and every module comes after this
