"""A client that leaves is no error in the log; everything else of grpc's stays one."""

from __future__ import annotations

import logging

import pytest
from grpc._cython import cygrpc

from moorage_server_grpc import departures


def logged(caplog: pytest.LogCaptureFixture, error: Exception) -> list[tuple[int, str]]:
    caplog.set_level(logging.DEBUG)
    departures.expect()
    departures.expect()
    try:
        raise error
    except Exception:
        logging.getLogger(departures.LOGGER).exception("raised by servicer method [/x.X/Y]")
    return [(record.levelno, record.getMessage()) for record in caplog.records]


def test_a_departure_is_a_line_for_debugging(caplog: pytest.LogCaptureFixture) -> None:
    found = logged(caplog, cygrpc.ExecuteBatchError('Failed "execute_batch"'))
    assert found == [(logging.DEBUG, "a client left while it was written to: raised by servicer method [/x.X/Y]")]


def test_other_errors_stay_errors(caplog: pytest.LogCaptureFixture) -> None:
    assert logged(caplog, ValueError("x")) == [(logging.ERROR, "raised by servicer method [/x.X/Y]")]


def test_grpc_logs_where_it_is_expected_to() -> None:
    assert departures.LOGGER in logging.root.manager.loggerDict
    assert cygrpc.ExecuteBatchError.__name__ == departures.FAILED_WRITE
