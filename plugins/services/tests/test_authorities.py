"""What a client answers becomes credentials, or none."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from moorage_api.convert import typeurls
from moorage_api.messages import transfer_types
from moorage_sdk import errors
from moorage_sdk.transfers import Credentials
from moorage_services.authorities import Asking, credentials
from moorage_services.streams import Stream


@pytest.mark.parametrize(
    ("kind", "secret", "expected"),
    [
        (transfer_types.CREDENTIALS, "s", Credentials("u", "s")),
        (transfer_types.REFRESH, "s", Credentials(secret="s")),
        (transfer_types.HEADER, "s", Credentials(header="s")),
        (transfer_types.NONE, "s", None),
        (transfer_types.REFRESH, "", None),
        (transfer_types.CREDENTIALS, "", None),
    ],
)
def test_answers_become_credentials(kind: Any, secret: str, expected: Credentials | None) -> None:
    assert credentials(transfer_types.AuthResponse(authType=kind, username="u", secret=secret)) == expected


def test_an_answer_of_another_kind_is_refused() -> None:
    async def main() -> None:
        stream = Stream(asyncio.get_running_loop())
        stream.received(typeurls.pack(transfer_types.Progress()))
        with pytest.raises(errors.InvalidArgument, match="Progress"):
            await asyncio.to_thread(Asking(stream, lambda: False), "a.io", "a.io/b", "realm")

    asyncio.run(main())
