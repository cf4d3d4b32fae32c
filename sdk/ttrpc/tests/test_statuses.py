from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from moorage_sdk import errors
from moorage_ttrpc import messages, statuses


@pytest.mark.parametrize("kind", list(statuses.CODES))
def test_every_class_survives_the_wire(kind: type[errors.Error]) -> None:
    back = statuses.error(messages.decode_status(messages.encode_status(statuses.of(kind("it")))))
    assert type(back) is kind
    assert back.message == "it"


def test_every_class_of_the_sdk_has_a_code() -> None:
    assert set(statuses.CODES) == set(errors.Error.__subclasses__())
    assert sorted(statuses.CODES.values()) == [1, *range(3, 17)]


def test_foreign_errors_are_unknown_and_carry_their_message_only() -> None:
    assert statuses.of(ValueError("bad \udc80")) == messages.Status(2, "bad ?")
    assert statuses.of(KeyError()) == messages.Status(2, "KeyError")
    assert statuses.of(asyncio.CancelledError()).code == 1
    assert statuses.of(TimeoutError()).code == 4
    assert type(statuses.error(messages.Status(2, "x"))) is errors.Error
    assert type(statuses.error(messages.Status(99, "x"))) is errors.Error


def test_the_hint_reaches_the_peer() -> None:
    assert statuses.of(errors.NotFound("no", hint="try")).message == "no (try)"


def test_the_table_is_the_one_of_moorage_api() -> None:
    table = pytest.importorskip("moorage_api.convert.errors")
    for kind, code in statuses.CODES.items():
        assert table.code(kind("x")) == code


def test_asyncio_is_not_loaded_for_programs_that_live_for_a_moment() -> None:
    code = "import sys; from moorage_ttrpc import blocking, statuses; statuses.of(KeyError())"
    code += "; print('asyncio' in sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
