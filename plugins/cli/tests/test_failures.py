import io

import pytest

from moorage_cli import failures
from moorage_sdk import errors

MISSING = 'OCI runtime create failed: runc create failed: exec: "x": executable file not found in $PATH: unknown'
FORBIDDEN = 'OCI runtime exec failed: exec failed: container process: exec: "/etc": permission denied: unknown'


@pytest.mark.parametrize(
    ("error", "verb", "code"),
    [
        (errors.Error(MISSING), "run", 127),
        (errors.Error(FORBIDDEN), "exec", 126),
        (errors.NotFound('image "x": not found'), "run", 125),
        (errors.Error("OCI runtime create failed: no idea"), "run", 125),
        (errors.Error(MISSING), "ps", 1),
        (errors.NotFound('volume source "/x": no such file or directory'), "run", 125),
    ],
)
def test_codes(error: errors.Error, verb: str, code: int) -> None:
    assert failures.status(error, verb) == code


def test_one_line_whatever_the_message() -> None:
    stream = io.StringIO()
    failures.show("a\n\n  b", "c\nd", stream)
    assert stream.getvalue() == "moorage: a; b\nhint: c; d\n"


def test_what_drives_a_terminal_is_not_shown() -> None:
    """A message may quote a name that a stranger chose."""
    stream = io.StringIO()
    failures.show('image "\x1b]0;evil\x07": not found', "\x1b[2J", stream)
    assert stream.getvalue() == 'moorage: image "�]0;evil�": not found\nhint: �[2J\n'
