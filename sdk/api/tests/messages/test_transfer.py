"""Messages of the transfer service on the wire."""

from moorage_api.messages import transfer


def test_options_on_the_wire() -> None:
    request = transfer.TransferRequest(options=transfer.TransferOptions(progress_stream="p"))
    assert request.SerializeToString() == b"\x1a\x03\x0a\x01p"
