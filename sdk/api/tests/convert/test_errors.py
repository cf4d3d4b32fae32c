"""The table of errors and codes, row by row against errgrpc of github.com/containerd/errdefs."""

import asyncio

import pytest

from moorage_api.convert import errors
from moorage_api.messages import rpc_status
from moorage_sdk import errors as sdk

ROWS = [
    (sdk.Cancelled, 1, "context canceled"),
    (sdk.Error, 2, "unknown"),
    (sdk.InvalidArgument, 3, "invalid argument"),
    (sdk.DeadlineExceeded, 4, "context deadline exceeded"),
    (sdk.NotFound, 5, "not found"),
    (sdk.AlreadyExists, 6, "already exists"),
    (sdk.PermissionDenied, 7, "permission denied"),
    (sdk.ResourceExhausted, 8, "resource exhausted"),
    (sdk.FailedPrecondition, 9, "failed precondition"),
    (sdk.Aborted, 10, "aborted"),
    (sdk.OutOfRange, 11, "out of range"),
    (sdk.Unimplemented, 12, "not implemented"),
    (sdk.Internal, 13, "internal"),
    (sdk.Unavailable, 14, "unavailable"),
    (sdk.DataLoss, 15, "data loss"),
    (sdk.Unauthenticated, 16, "unauthenticated"),
]


@pytest.mark.parametrize(("kind", "code", "verdict"), ROWS)
def test_a_row_both_ways(kind: type[sdk.Error], code: int, verdict: str) -> None:
    assert errors.code(kind(f"x: {verdict}")) == code
    assert errors.text(kind(f"x: {verdict}")) == f"x: {verdict}"
    back = errors.error(code, f"x: {verdict}")
    assert type(back) is kind
    assert back.message == f"x: {verdict}"


@pytest.mark.parametrize(("kind", "code", "verdict"), ROWS)
def test_an_empty_message_becomes_the_verdict_both_ways(kind: type[sdk.Error], code: int, verdict: str) -> None:
    assert errors.text(kind("")) == verdict
    assert errors.error(code, "").message == verdict


@pytest.mark.parametrize(("kind", "code", "verdict"), ROWS)
def test_a_message_tells_its_class_by_its_end(kind: type[sdk.Error], code: int, verdict: str) -> None:
    assert errors.code_of(f'plugin "x": a: b: {verdict}') == errors.code_of(verdict) == code
    assert errors.code_of(f"x: {verdict} at all") == errors.code_of("") == 2


def test_the_table_has_every_class_of_the_contracts() -> None:
    classes = {each for each in vars(sdk).values() if isinstance(each, type) and issubclass(each, sdk.Error)}
    assert set(errors.CODES) == set(errors.VERDICTS) == classes == {row[0] for row in ROWS}


def test_a_class_derived_by_a_plugin_takes_the_code_of_its_base() -> None:
    class ImageGone(sdk.NotFound):
        pass

    assert errors.code(ImageGone("x")) == 5


@pytest.mark.parametrize("code", [17, 99, -1])
def test_an_undefined_code_is_unknown(code: int) -> None:
    assert type(errors.error(code, "m")) is sdk.Error


@pytest.mark.parametrize("verdict", ["conflict", "not modified"])
def test_conflict_and_not_modified_keep_their_endings(verdict: str) -> None:
    for message in (verdict, f'image "x": {verdict}'):
        assert errors.text(sdk.FailedPrecondition(message)) == message
        assert errors.text(sdk.FailedPrecondition(message, hint="try later")).endswith(f": {verdict}")
        assert errors.error(9, message).message == message


@pytest.mark.parametrize(
    ("message", "sent"),
    [
        ('image "x": not found', 'image "x" (pull it): not found'),
        ("not found", "pull it: not found"),
        ('image "x" is gone', 'image "x" is gone (pull it)'),
        ('image "x": gone', 'image "x": gone (pull it)'),
    ],
)
def test_a_hint_reaches_the_peer_before_the_verdict(message: str, sent: str) -> None:
    assert errors.text(sdk.NotFound(message, hint="pull it")) == sent


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (ValueError("bad"), 2, "ValueError: bad"),
        (KeyError("k"), 2, "KeyError: 'k'"),
        (RuntimeError(), 2, "RuntimeError"),
        (FileNotFoundError(2, "No such file or directory", "/x"), 2, None),
        (TimeoutError(), 4, "context deadline exceeded"),
        (asyncio.CancelledError(), 1, "context canceled"),
        (asyncio.CancelledError("stop"), 1, "stop"),
    ],
)
def test_foreign_exceptions(error: BaseException, code: int, text: str | None) -> None:
    assert errors.code(error) == code
    assert errors.text(error) == (text or f"FileNotFoundError: {error}")


def test_no_traceback_goes_out() -> None:
    try:
        raise ValueError("inner")
    except ValueError as error:
        assert "Traceback" not in errors.text(error)
        assert __file__ not in errors.text(error)


def test_a_lone_surrogate_does_not_lose_the_answer() -> None:
    assert errors.text(sdk.NotFound("file \udcff: not found")) == "file ?: not found"


def test_a_group_takes_the_first_code_that_says_something() -> None:
    group = ExceptionGroup("several", [ValueError("a"), sdk.NotFound("b: not found"), sdk.Internal("c")])
    assert errors.code(group) == 5
    assert errors.text(group) == "ValueError: a\nb: not found\nc"
    assert errors.code(ExceptionGroup("several", [ValueError("a")])) == 2


def test_statuses_both_ways() -> None:
    status = errors.to_status(sdk.NotFound("x: not found"))
    assert (status.code, status.message, len(status.details)) == (5, "x: not found", 0)
    back = errors.from_status(status)
    assert type(back) is sdk.NotFound
    assert errors.from_status(rpc_status.Status()) is None


def test_the_members_of_a_group_travel_as_details() -> None:
    status = errors.to_status(ExceptionGroup("several", [sdk.NotFound("a"), sdk.Internal("b")]))
    assert {each.type_url for each in status.details} == {"type.googleapis.com/google.rpc.Status"}
    members = [rpc_status.Status.FromString(each.value) for each in status.details]
    assert [(each.code, each.message) for each in members] == [(5, "a"), (13, "b")]
