"""An event as one line of JSON."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

from moorage_sdk.events import Envelope


def moment(timestamp: int) -> str:
    """RFC 3339 with nanoseconds, which is what containerd's clients print."""
    seconds, nanoseconds = divmod(timestamp, 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z"


def encode(envelope: Envelope) -> str:
    """One object; ``value`` is base64, for only the publisher and its readers know the message."""
    return json.dumps(
        {
            "timestamp": moment(envelope.timestamp),
            "namespace": envelope.namespace,
            "topic": envelope.topic,
            "type": envelope.event.type_url,
            "value": base64.b64encode(envelope.event.value).decode(),
        },
        ensure_ascii=False,
    )
