"""Options of the runtime as Kata reads them: ``runtimeoptions.v1.Options``, of which the path counts."""

from __future__ import annotations

from google.protobuf.message import DecodeError

from moorage_api.messages import runtime_options
from moorage_sdk import errors
from moorage_sdk.events import Payload

TYPE = "runtimeoptions.v1.Options"


def completed(given: Payload | None, config_path: str) -> Payload | None:
    """Options that name a configuration: the client's own, or ``config_path``. Without either nothing is said.

    Options of other runtimes mean nothing to Kata, and give way. Raises errors.InvalidArgument for broken ones.
    """
    told = _decoded(given)
    if told is not None and (told.config_path or told.config_body):
        return given
    if not config_path:
        return given if told is not None else None
    made = told if told is not None else runtime_options.Options()
    made.config_path = config_path
    return Payload(TYPE, made.SerializeToString())


def _decoded(given: Payload | None) -> runtime_options.Options | None:
    if given is None or given.type_url.rpartition("/")[2] != TYPE:
        return None
    try:
        return runtime_options.Options.FromString(given.value)
    except DecodeError as error:
        raise errors.InvalidArgument(f"runtime options: {error}: invalid argument") from error
