"""A server whose clients break off."""

import socket
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler

import pytest

from moorage_testkit.http_servers import PatientServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/break":
            raise ConnectionResetError("broken off")
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing of this on the terminal."""


def test_clients_that_break_off_are_no_news_and_keep_nobody_waiting(capfd: pytest.CaptureFixture[str]) -> None:
    server = PatientServer(("127.0.0.1", 0), Handler)
    serving = threading.Thread(target=server.serve_forever, args=(0.02,))
    serving.start()
    port = server.server_address[1]
    with socket.create_connection(("127.0.0.1", port)):  # never asks for anything
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET /break HTTP/1.0\r\n\r\n")
            assert client.recv(1) == b""
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as answer:
            assert answer.status == 204
        server.shutdown()
        server.server_close()
        serving.join(5)
    assert not serving.is_alive()
    assert capfd.readouterr() == ("", "")
