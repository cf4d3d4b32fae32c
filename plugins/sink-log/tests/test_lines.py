import json

from moorage_sdk.events import Envelope, Payload
from moorage_sink_log import lines


def test_an_event_is_one_object_on_one_line() -> None:
    envelope = Envelope(
        1_700_000_000_000_000_001, "default", "/tasks/exit", Payload("containerd.events.TaskExit", b"\n\xff")
    )
    line = lines.encode(envelope)
    assert "\n" not in line
    assert json.loads(line) == {
        "timestamp": "2023-11-14T22:13:20.000000001Z",
        "namespace": "default",
        "topic": "/tasks/exit",
        "type": "containerd.events.TaskExit",
        "value": "Cv8=",
    }
