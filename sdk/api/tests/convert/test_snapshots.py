import pytest

from moorage_api.convert import snapshots
from moorage_api.messages import snapshots as messages
from moorage_sdk.snapshots import Info, Kind


@pytest.mark.parametrize("kind", list(Kind))
def test_there_and_back_over_the_wire(kind: Kind) -> None:
    info = Info(kind, "layer", "parent", {"a": "b"}, 1_700_000_000_000_000_001, 5)
    sent = snapshots.to_message(info).SerializeToString()
    assert snapshots.from_message(messages.Info.FromString(sent)) == info


def test_a_kind_of_the_future_is_unknown() -> None:
    assert snapshots.from_message(messages.Info(name="x", kind=77)).kind is Kind.UNKNOWN
