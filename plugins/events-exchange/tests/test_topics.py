import pytest

from moorage_events_exchange import topics
from moorage_sdk import errors
from moorage_sdk.events import Envelope, Payload

EVENT = Payload("containerd.events.TaskExit", b"x")


@pytest.mark.parametrize("topic", ["/tasks/exit", "/a", "/a.b-c_d/1/2"])
def test_topics_of_identifiers_are_fine(topic: str) -> None:
    topics.validate(topic)


@pytest.mark.parametrize(
    ("topic", "why"),
    [
        ("", "must not be empty"),
        ("tasks/exit", "must start with '/'"),
        ("/", "at least one component"),
        ("//exit", "must not be empty"),
        ("/tasks/", "must not be empty"),
        ("/tasks/ex it", 'component "ex it"'),
        ("/" + "a" * 77, "greater than maximum length"),
    ],
)
def test_bad_topics_are_refused_with_the_reason(topic: str, why: str) -> None:
    with pytest.raises(errors.InvalidArgument, match=why) as caught:
        topics.validate(topic)
    assert str(caught.value).startswith(f'envelope topic "{topic}": ')
    assert str(caught.value).endswith("invalid argument")


@pytest.mark.parametrize(
    ("envelope", "why"),
    [
        (Envelope(1, "", "/a", EVENT), "event envelope has invalid namespace"),
        (Envelope(1, "no spaces", "/a", EVENT), "event envelope has invalid namespace"),
        (Envelope(1, "default", "a", EVENT), "must start with"),
        (Envelope(0, "default", "/a", EVENT), "timestamp must be set on forwarded event"),
    ],
)
def test_bad_envelopes_are_refused(envelope: Envelope, why: str) -> None:
    with pytest.raises(errors.InvalidArgument, match=why):
        topics.validate_envelope(envelope)
