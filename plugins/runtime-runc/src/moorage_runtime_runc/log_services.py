"""The monitor's own calls about logs, for whoever rotates them: ``moorage.monitor.v1.Monitor/ReopenLog``.

The request is a ``StateRequest`` of the Task API, the namespace comes with it as in all others, the answer is empty.
"""

from __future__ import annotations

from pathlib import Path

from google.protobuf.empty_pb2 import Empty

from moorage_api.messages import shim_v3
from moorage_runtime_runc import uris
from moorage_runtime_runc.shims import NAMESPACE
from moorage_runtime_runc.tasks import Tasks
from moorage_sdk import errors
from moorage_sys import faults
from moorage_ttrpc.methods import Call, Method


class LogService:
    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks

    def methods(self) -> dict[str, Method]:
        """By name, for the monitor's own service."""
        return {"ReopenLog": Method(shim_v3.StateRequest.FromString, self._reopen, Empty.SerializeToString)}

    async def _reopen(self, request: shim_v3.StateRequest, call: Call) -> Empty:
        process = self._tasks.get(call.value(NAMESPACE), request.id).process(request.exec_id)
        uri = uris.parse(process.stdio.stdout)
        if uri is None or uri.scheme != "cri-log":
            raise errors.FailedPrecondition(
                f'log of "{process.id}": is not written by the monitor: failed precondition'
            )
        with faults.translated("log"):
            process.streams.reopen_log(Path(uri.path))
        return Empty()
