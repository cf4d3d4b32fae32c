"""Reflection of a gRPC server under its older name (grpc.reflection.v1alpha)."""

from moorage_api import definitions

__getattr__, __dir__ = definitions.module(__name__)
