"""An HTTP server for tests that break off what they began."""

from __future__ import annotations

from http.server import ThreadingHTTPServer
from typing import Any


class PatientServer(ThreadingHTTPServer):
    """Lets many clients wait for their turn, and ends with the test though some of them never finish."""

    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that break off are what it is for; nothing to print."""
