from moorage_api.convert import contents
from moorage_api.messages import content as messages
from moorage_sdk.content import Info, Status

DIGEST = "sha256:" + "a" * 64


def test_blobs_there_and_back_over_the_wire() -> None:
    info = Info(DIGEST, 7, 1_700_000_000_000_000_001, 5, {"a": "b"})
    sent = contents.info_to_message(info).SerializeToString()
    assert contents.info_from_message(messages.Info.FromString(sent)) == info


def test_ingests_there_and_back_over_the_wire() -> None:
    status = Status("layer", 3, 7, DIGEST, 1_700_000_000_000_000_001, 5)
    sent = contents.status_to_message(status).SerializeToString()
    assert contents.status_from_message(messages.Status.FromString(sent)) == status


def test_what_is_not_told_is_empty() -> None:
    told = contents.status_from_message(messages.Status(ref="r"))
    assert (told.ref, told.offset, told.expected, told.started_at) == ("r", 0, "", 0)
    assert contents.info_from_message(messages.Info(digest=DIGEST)).created_at == 0
