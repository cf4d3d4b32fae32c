"""Credentials for a registry, asked of the client on a stream (core/transfer/registry in containerd v2.3)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import cast

from moorage_api.convert import typeurls
from moorage_api.messages import transfer_types
from moorage_sdk import errors
from moorage_sdk.transfers import Credentials
from moorage_services.streams import Stream


class Asking:
    """An authority that asks the client on a stream, one question at a time."""

    def __init__(self, stream: Stream, cancelled: Callable[[], bool]) -> None:
        self._stream = stream
        self._cancelled = cancelled
        self._turn = threading.Lock()

    def __call__(self, host: str, reference: str, realm: str) -> Credentials | None:
        with self._turn:
            challenges = [f'Bearer realm="{realm}"'] if realm else []
            question = transfer_types.AuthRequest(host=host, reference=reference, wwwauthenticate=challenges)
            self._stream.send(question)
            answer = self._stream.receive(self._cancelled)
        if not typeurls.holds(answer, transfer_types.AuthResponse):
            raise errors.InvalidArgument(
                f'answer to a question for credentials: got "{answer.type_url}": invalid argument'
            )
        return credentials(cast(transfer_types.AuthResponse, typeurls.unpack(answer)))


def credentials(response: transfer_types.AuthResponse) -> Credentials | None:
    """What the client knows; clients that know nothing send an empty refresh token."""
    if not response.secret:
        return None
    match response.authType:
        case transfer_types.CREDENTIALS:
            return Credentials(response.username, response.secret)
        case transfer_types.REFRESH:
            return Credentials(secret=response.secret)
        case transfer_types.HEADER:
            return Credentials(header=response.secret)
        case _:
            return None
