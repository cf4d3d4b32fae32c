import pytest

from moorage_sdk import errors

# github.com/containerd/errdefs, errors.go: one class each; ErrUnknown is the base class.
CLASSES = {
    "InvalidArgument",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
    "DeadlineExceeded",
    "Cancelled",
}


def test_there_is_a_class_for_each_of_errdefs() -> None:
    found = {name for name, cls in vars(errors).items() if isinstance(cls, type) and issubclass(cls, errors.Error)}
    assert found == CLASSES | {"Error"}


def test_no_class_is_another_one() -> None:
    for name in CLASSES:
        assert getattr(errors, name).__bases__ == (errors.Error,)


def test_the_hint_follows_the_message() -> None:
    with pytest.raises(errors.Error, match=r'^image "x": not found \(pull it\)$') as caught:
        raise errors.NotFound('image "x": not found', hint="pull it")
    assert (caught.value.message, caught.value.hint) == ('image "x": not found', "pull it")
    assert str(errors.NotFound('image "x": not found')) == 'image "x": not found'
