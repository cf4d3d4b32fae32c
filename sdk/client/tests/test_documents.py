import pytest

from moorage_client import documents
from moorage_sdk import errors


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"[]", b"null", b"1", b"{", b'{"a":1,"a":2}', b'{"x":{"b":1,"b":1}}', b"[" * 100_000, b"\xff\xfe{}"),
        *("{}".encode("utf-16-le"), "{}".encode("utf-32"), b'{"a":NaN}', b'{"a":-Infinity}', b"\xef\xbb\xbf{}"),
    ],
)
def test_sec_31_32_what_is_refused(data: bytes) -> None:
    with pytest.raises(errors.InvalidArgument):
        documents.parse(data, "thing")


def test_arrays() -> None:
    assert documents.parse_list(b"[1]", "thing") == [1]
    with pytest.raises(errors.InvalidArgument):
        documents.parse_list(b"{}", "thing")


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        {"mediaType": "m", "digest": "sha256:" + "a" * 64},
        {"mediaType": "m", "digest": "sha256:../../x", "size": 1},
        {"mediaType": "m", "digest": "sha256:" + "A" * 64, "size": 1},
        {"mediaType": "m", "digest": "sha256:" + "a" * 64, "size": -1},
        {"mediaType": "m", "digest": "sha256:" + "a" * 64, "size": True},
        {"mediaType": 1, "digest": "sha256:" + "a" * 64, "size": 1},
    ],
)
def test_sec_30_malformed_descriptors(value: object) -> None:
    with pytest.raises(errors.InvalidArgument):
        documents.descriptor(value, "thing")


def test_a_descriptor() -> None:
    value = {"mediaType": "m", "digest": "sha256:" + "a" * 64, "size": 3, "annotations": {"k": "v", "n": None}}
    assert documents.descriptor(value, "thing").annotations == {"k": "v"}
