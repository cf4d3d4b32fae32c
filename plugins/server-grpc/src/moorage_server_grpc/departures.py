"""Clients that leave while grpc writes to them.

grpc.aio logs each as an error with a traceback, unless it heard of the departure before the write failed
(``_handle_exceptions`` in src/python/grpcio/grpc/_cython/_cygrpc/aio/server.pyx.pxi). It is nobody's fault.
"""

from __future__ import annotations

import logging

log = logging.getLogger(__name__)

LOGGER = "grpc._cython.cygrpc"
FAILED_WRITE = "ExecuteBatchError"
"""The class is private to grpc, and so known by its name."""


def expect() -> None:
    """Let departures be lines of the level debug. Calling it again changes nothing."""
    logging.getLogger(LOGGER).addFilter(_is_fault)


def _is_fault(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    if type(error).__name__ != FAILED_WRITE:
        return True
    log.debug("a client left while it was written to: %s", record.getMessage())
    return False
