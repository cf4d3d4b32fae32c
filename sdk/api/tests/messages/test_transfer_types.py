"""Sources, destinations and stream messages on the wire."""

from moorage_api.messages import transfer_types


def test_unpacks_are_field_ten() -> None:
    store = transfer_types.ImageStore(unpacks=[transfer_types.UnpackConfiguration(snapshotter="s")])
    assert store.SerializeToString() == b"\x52\x03\x12\x01s"


def test_the_kind_of_credentials_keeps_its_spelling() -> None:
    answer = transfer_types.AuthResponse(authType=transfer_types.HEADER, secret="s")
    assert answer.SerializeToString() == b"\x08\x03\x12\x01s"


def test_windows_are_plain_numbers() -> None:
    assert transfer_types.WindowUpdate.FromString(b"\x08\x80\x80\x04").update == 65536
